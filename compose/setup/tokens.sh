# Tokens for HTTP: who may look at metrics and the API, and who may change things.

# token NAME ROLE: made by `fogline token`, once; kept for the service that shows it.
token() {
  mkdir -p "$ca/token-of"
  if [ ! -s "$ca/token-of/$1" ]; then
    fogline token remove "$1" --tokens "$ca/tokens" 2>/dev/null || true
    fogline token add "$1" --role "$2" --tokens "$ca/tokens" >"$ca/token-of/$1.new"
    mv "$ca/token-of/$1.new" "$ca/token-of/$1"
  fi
}

# given_token NAME ROLE TOKEN: one that a person has chosen, in .env. The file has its SHA-256, as for every token.
given_token() {
  line="$1 $2 $(printf %s "$3" | sha256sum | cut -d ' ' -f 1)"
  ! grep -qxF "$line" "$ca/tokens" || return 0
  { grep -v "^$1 " "$ca/tokens"; echo "$line"; } >"$ca/tokens.new"
  mv "$ca/tokens.new" "$ca/tokens"
}

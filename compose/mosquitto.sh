# Starts Mosquitto with mosquitto-compat/mosquitto-secure.conf, and with the lines in it by which a client's certificate is its login: here
# everybody has one. Those that were revoked stay out. Its folder has what the setup service has put there.
set -eu
sed -E -e 's/^#(cafile|require_certificate|use_identity_as_username) /\1 /' -e '/^listener 8883/a crlfile tls/crl.pem' \
  /etc/fogline/mosquitto.conf >/tmp/mosquitto.conf
exec mosquitto -c /tmp/mosquitto.conf

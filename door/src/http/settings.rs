//! The settings of an HTTP server, for each program under names of its own.

/// Makes the struct of a program's HTTP settings: `--http`, `--http-tokens`, `--http-cert`, `--http-key`; the keys `http`,
/// `http_tokens`, `http_cert`, `http_key` of its file; and `PREFIX_HTTP`, `PREFIX_HTTP_TOKENS`, `PREFIX_HTTP_CERT`,
/// `PREFIX_HTTP_KEY` of the environment. Only the environment's names differ between programs; they must be known when the
/// program is compiled, which is why this is a macro.
///
/// The program depends on `clap` (with `derive` and `env`) and `serde`, and has the struct in its own settings with
/// `#[command(flatten)]` and `#[serde(flatten)]`.
///
/// ```
/// fogline_door::http_settings!(
///     /// Where this program serves HTTP.
///     pub struct Http, prefix = "EXAMPLE", what = "health and metrics", default = "127.0.0.1:8080"
/// );
/// let mut problems = Vec::new();
/// let given = Http { http: Some("0.0.0.0:80".parse().unwrap()), ..Http::default() };
/// given.checked("127.0.0.1:8080".parse().unwrap(), &mut problems);
/// assert!(problems[0].contains("--http-tokens"));
/// ```
#[macro_export]
macro_rules! http_settings {
    ($(#[$meta:meta])* $vis:vis struct $name:ident, prefix = $prefix:literal, what = $what:literal, default = $default:literal) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, ::clap::Args, ::serde::Serialize, ::serde::Deserialize)]
        #[serde(default)]
        $vis struct $name {
            /// Where it is served; port 0 takes a free one.
            #[arg(long, value_name = "ADDRESS:PORT", env = concat!($prefix, "_HTTP"), help = concat!(
                "Address of ", $what, "; port 0 takes a free one; open to others only with --http-tokens [default: ",
                $default, "]"
            ))]
            pub http: Option<::std::net::SocketAddr>,
            /// File of tokens, see `fogline token`; without one everybody on this machine may do everything
            #[arg(long, value_name = "FILE", env = concat!($prefix, "_HTTP_TOKENS"))]
            pub http_tokens: Option<::std::path::PathBuf>,
            /// Serve HTTPS with this certificate, PEM: the server's own first, then its CA's; read again when it changes
            #[arg(long, value_name = "FILE", env = concat!($prefix, "_HTTP_CERT"))]
            pub http_cert: Option<::std::path::PathBuf>,
            /// The certificate's key, PEM, not encrypted
            #[arg(long, value_name = "FILE", env = concat!($prefix, "_HTTP_KEY"))]
            pub http_key: Option<::std::path::PathBuf>,
        }

        impl $name {
            /// These where they are set, and `other`'s elsewhere.
            #[must_use]
            $vis fn or(self, other: Self) -> Self {
                Self {
                    http: self.http.or(other.http),
                    http_tokens: self.http_tokens.or(other.http_tokens),
                    http_cert: self.http_cert.or(other.http_cert),
                    http_key: self.http_key.or(other.http_key),
                }
            }

            /// The configuration that follows. What is wrong is added to `problems`, each with its remedy.
            $vis fn checked(
                self,
                default: ::std::net::SocketAddr,
                problems: &mut ::std::vec::Vec<::std::string::String>,
            ) -> $crate::http::HttpConfig {
                let address = self.http.unwrap_or(default);
                $crate::http::HttpConfig::checked(address, self.http_tokens, self.http_cert, self.http_key, problems)
            }
        }
    };
}

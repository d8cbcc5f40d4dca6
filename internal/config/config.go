// Package config is the one struct of settings, read from flags and the environment, and the only place that reads the
// latter.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"strings"
	"time"
)

// Config are the settings of the program. The tags are kong's: each field is a flag and a variable.
type Config struct {
	Listen        string        `env:"FETCHQ_LISTEN" default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Where to serve; ${default} where nothing is said."`
	DataDir       string        `env:"FETCHQ_DATA_DIR" default:"./data" placeholder:"DIR" help:"Where the private Postgres keeps its data; ${default} where nothing is said."`
	DatabaseURL   string        `env:"DATABASE_URL" name:"database-url" secret:"true" placeholder:"URL" help:"Use this Postgres (15 to 18) in place of a private one."`
	ListenURL     string        `env:"FETCHQ_LISTEN_URL" name:"listen-url" secret:"true" placeholder:"URL" help:"Where to LISTEN and migrate, if DATABASE_URL leads to a transaction pooler."`
	TLSCert       string        `env:"FETCHQ_TLS_CERT" name:"tls-cert" placeholder:"FILE" help:"Serve TLS with this certificate and those that lead to its authority, PEM. A new file is taken up while the program runs."`
	TLSKey        string        `env:"FETCHQ_TLS_KEY" name:"tls-key" placeholder:"FILE" help:"The key of that certificate, PEM."`
	Connections   int           `env:"FETCHQ_MAX_CONNECTIONS" name:"max-connections" default:"10000" help:"Connections of browsers and workers at once, 100 to 100000, or 0: any number; more wait."`
	BaseURL       string        `env:"FETCHQ_BASE_URL" name:"base-url" placeholder:"URL" help:"What the world calls this server, if it stands behind a proxy."`
	Proxies       []string      `env:"FETCHQ_PROXIES" name:"proxies" placeholder:"ADDRESS" help:"Proxies before this server, as in 127.0.0.1,10.0.0.0/8: their X-Forwarded-For says who asks. Needed behind one, for wrong passwords are counted by address."`
	AdminEmail    string        `env:"FETCHQ_ADMIN_EMAIL" name:"admin-email" placeholder:"ADDRESS" help:"Make this the first admin where there are no users yet, in place of the setup link."`
	AdminPassword string        `env:"FETCHQ_ADMIN_PASSWORD" name:"admin-password" secret:"true" placeholder:"TEXT" help:"The password of the first admin."`
	SecretKey     string        `env:"FETCHQ_SECRET_KEY" name:"secret-key" secret:"true" placeholder:"TEXT" help:"Random text of 32 characters or more, the same on all nodes, under which secrets of second factors and of destinations are kept in the database; where Postgres is private, default: one in secret.key beside its data."`
	OIDCIssuer    string        `env:"FETCHQ_OIDC_ISSUER" name:"oidc-issuer" placeholder:"URL" help:"People may sign in by this OpenID provider, as in https://id.example.org; needs FETCHQ_BASE_URL, below which it sends them back to /login/provider/callback."`
	OIDCClient    string        `env:"FETCHQ_OIDC_CLIENT_ID" name:"oidc-client-id" placeholder:"TEXT" help:"What the provider calls this site."`
	OIDCSecret    string        `env:"FETCHQ_OIDC_CLIENT_SECRET" name:"oidc-client-secret" secret:"true" placeholder:"TEXT" help:"What this site shows the provider, where it wants more than PKCE."`
	OIDCName      string        `env:"FETCHQ_OIDC_NAME" name:"oidc-name" placeholder:"NAME" help:"What the button calls the provider; default: its host."`
	OIDCGroups    string        `env:"FETCHQ_OIDC_GROUPS" name:"oidc-groups" default:"groups" placeholder:"CLAIM" help:"The claim with the groups of a person; ${default} where nothing is said."`
	OIDCScopes    []string      `env:"FETCHQ_OIDC_SCOPES" name:"oidc-scopes" default:"profile,email" placeholder:"SCOPE" help:"What the provider is asked for besides openid; ${default} where nothing is said. Some want groups here too."`
	HeaderUser    string        `env:"FETCHQ_HEADER_USER" name:"header-user" placeholder:"HEADER" help:"The proxy before this server signs people in, and names them by e-mail address in this header, as in X-Forwarded-Email."`
	HeaderGroups  string        `env:"FETCHQ_HEADER_GROUPS" name:"header-groups" placeholder:"HEADER" help:"The header in which the proxy names their groups, separated by commas."`
	HeaderFrom    []string      `env:"FETCHQ_HEADER_FROM" name:"header-from" placeholder:"ADDRESS" help:"From where alone these headers are believed, as in 10.0.0.5,10.1.0.0/16; wanted with FETCHQ_HEADER_USER."`
	GroupRoles    []string      `env:"FETCHQ_GROUP_ROLES" name:"group-roles" placeholder:"GROUP=ROLE" help:"Roles of those whom a provider or proxy identifies, as in ops=operator,admins=admin,*=viewer; * is everybody, and who has no role stays out. Wanted with FETCHQ_OIDC_ISSUER or FETCHQ_HEADER_USER."`
	SignUp        bool          `env:"FETCHQ_SIGN_UP" name:"sign-up" help:"Whom a provider or proxy identifies gets an account at the first sign-in; else an admin adds people."`
	SignInDomains []string      `env:"FETCHQ_SIGN_IN_DOMAINS" name:"sign-in-domains" placeholder:"DOMAIN" help:"Only e-mail addresses of these domains come in by a provider or proxy; default: all."`
	SecretsDir    string        `env:"FETCHQ_SECRETS_DIR" name:"secrets-dir" placeholder:"DIR" help:"The folder of files that destinations of backups may name as file:NAME for the secrets of their keys; default: none may."`
	Env           string        `env:"FETCHQ_ENV" name:"env" placeholder:"NAME" help:"A label that all pages show, such as production."`
	MetricsOpen   bool          `env:"FETCHQ_METRICS_OPEN" name:"metrics-open" help:"Serve /metrics to everybody; else Prometheus needs a token with the right read."`
	PgBin         string        `env:"FETCHQ_PG_BIN" name:"pg-bin" placeholder:"DIR" help:"Programs of the private Postgres; default: look for them."`
	PoolSize      int           `env:"FETCHQ_POOL_SIZE" default:"20" help:"Connections to Postgres, 2 to 1000."`
	ImportLimit   int           `env:"FETCHQ_IMPORT_LIMIT" default:"4096" placeholder:"MIB" help:"MiB of text that imports which are not done yet may store in the database together, 1 to 1048576."`
	Anywhere      bool          `env:"FETCHQ_ANY_DESTINATION" name:"any-destination" help:"Destinations of backups may lead to link-local addresses, and of Azure and Google to any domain."`
	DrainTimeout  time.Duration `env:"FETCHQ_DRAIN_TIMEOUT" default:"20s" help:"How long requests that run may take to end when the program stops."`
	LogLevel      string        `env:"FETCHQ_LOG_LEVEL" default:"info" enum:"debug,info,warn,error" help:"Least level that is logged: debug, info, warn or error."`
	LogFormat     string        `env:"FETCHQ_LOG_FORMAT" default:"text" enum:"text,json" help:"Lines of the log, on standard error: text or json."`
}

// Check refuses values outside their limits.
func (c Config) Check() error {
	if c.PoolSize < 2 || c.PoolSize > 1000 {
		return fmt.Errorf("FETCHQ_POOL_SIZE is %d; 2 to 1000 is allowed", c.PoolSize)
	}
	if c.ImportLimit < 1 || c.ImportLimit > 1<<20 {
		return fmt.Errorf("FETCHQ_IMPORT_LIMIT is %d MiB; 1 to 1048576 is allowed", c.ImportLimit)
	}
	if c.Connections != 0 && (c.Connections < 100 || c.Connections > 100_000) {
		return fmt.Errorf("FETCHQ_MAX_CONNECTIONS is %d; 0 or 100 to 100000 is allowed", c.Connections)
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return errors.New("FETCHQ_TLS_CERT and FETCHQ_TLS_KEY go together; one of them is missing")
	}
	if c.DrainTimeout < 0 || c.DrainTimeout > time.Hour {
		return fmt.Errorf("FETCHQ_DRAIN_TIMEOUT is %s; 0s to 1h is allowed", c.DrainTimeout)
	}
	if (c.AdminEmail == "") != (c.AdminPassword == "") {
		return errors.New("FETCHQ_ADMIN_EMAIL and FETCHQ_ADMIN_PASSWORD go together; one of them is missing")
	}
	if n := len(c.SecretKey); n > 0 && n < 32 {
		return fmt.Errorf("FETCHQ_SECRET_KEY has %d characters; at least 32 random ones are wanted, as openssl rand -base64 32 makes them", n)
	}
	if len(c.Env) > 40 {
		return fmt.Errorf("FETCHQ_ENV has %d bytes; 40 are allowed", len(c.Env))
	}
	if c.BaseURL != "" {
		u, err := url.Parse(c.BaseURL)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || strings.Trim(u.Path, "/") != "" ||
			u.RawQuery != "" || u.Fragment != "" {
			return fmt.Errorf("FETCHQ_BASE_URL is %q; something like https://queue.example.org is wanted, without a path", c.BaseURL)
		}
	}
	if _, err := c.ProxyPrefixes(); err != nil {
		return err
	}
	return c.checkEntrance()
}

// ProxyPrefixes are the proxies before this server. An address alone is a network of one.
func (c Config) ProxyPrefixes() ([]netip.Prefix, error) { return prefixes("FETCHQ_PROXIES", c.Proxies) }

func prefixes(variable string, texts []string) ([]netip.Prefix, error) {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		prefix, err := netip.ParsePrefix(strings.TrimSpace(text))
		if a, failed := netip.ParseAddr(strings.TrimSpace(text)); failed == nil {
			prefix, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s holds %q; addresses or networks are wanted, as in 127.0.0.1,10.0.0.0/8", variable, text)
		}
		list[i] = prefix
	}
	return list, nil
}

// Secure says whether browsers come by TLS, to this program or to a proxy before it.
func (c Config) Secure() bool { return c.TLSCert != "" || strings.HasPrefix(c.BaseURL, "https:") }

// Site is where browsers find the pages of a program that listens on an address: the base address of the settings, else
// there, which for one that listens everywhere is this machine.
func (c Config) Site(listen string) string {
	if c.BaseURL != "" {
		return strings.TrimRight(c.BaseURL, "/")
	}
	scheme := "http://"
	if c.TLSCert != "" {
		scheme = "https://"
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return scheme + listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return scheme + net.JoinHostPort(host, port)
}

// MigrateURL is the address for migrations: that for LISTEN if there is one, else that of the database.
func (c Config) MigrateURL() string {
	if c.ListenURL != "" {
		return c.ListenURL
	}
	return c.DatabaseURL
}

// Logger returns the log that the settings ask for, on standard error.
func (c Config) Logger() *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.LogLevel)) // kong has checked the word
	opt := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, opt))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, opt))
}

// String lists the settings by their variables, with secrets hidden.
func (c Config) String() string {
	var b strings.Builder
	v := reflect.ValueOf(c)
	for i := range v.NumField() {
		f := v.Type().Field(i)
		value := fmt.Sprint(v.Field(i).Interface())
		if f.Tag.Get("secret") != "" && value != "" {
			value = "(hidden)"
		}
		fmt.Fprintf(&b, "%s=%s\n", f.Tag.Get("env"), value)
	}
	return b.String()
}

// LogValue hides the secrets from the log as well.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

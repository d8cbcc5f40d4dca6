package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestSecretsAreNotPrinted(t *testing.T) {
	url := "postgres://u:" + "hunter2" + "@h/d"
	c := Config{DatabaseURL: url, ListenURL: url, Listen: "x:1"}
	for _, text := range []string{c.String(), fmt.Sprint(c), fmt.Sprintf("%+v", c), c.LogValue().String()} {
		if strings.Contains(text, "hunter2") || !strings.Contains(text, "FETCHQ_LISTEN=x:1") {
			t.Errorf("printed as %s", text)
		}
	}
}

func TestCheckNamesTheSettingThatIsWrong(t *testing.T) {
	good := Config{PoolSize: 20, ImportLimit: 1}
	for name, tt := range map[string]struct {
		c    Config
		want string
	}{
		"good":             {good, ""},
		"small pool":       {Config{PoolSize: 1}, "FETCHQ_POOL_SIZE"},
		"no imports":       {Config{PoolSize: 2}, "FETCHQ_IMPORT_LIMIT"},
		"long drain":       {Config{PoolSize: 2, ImportLimit: 1, DrainTimeout: 1 << 60}, "FETCHQ_DRAIN_TIMEOUT"},
		"no base URL":      {Config{PoolSize: 2, ImportLimit: 1, BaseURL: "queue"}, "FETCHQ_BASE_URL"},
		"base with a path": {Config{PoolSize: 2, ImportLimit: 1, BaseURL: "https://example.org/queue"}, "FETCHQ_BASE_URL"},
		"proxy by name":    {Config{PoolSize: 2, ImportLimit: 1, Proxies: []string{"10.0.0.1", "10.0.0.0/8", " ::1", "proxy.lan"}}, "FETCHQ_PROXIES"},
		"proxies":          {Config{PoolSize: 2, ImportLimit: 1, Proxies: []string{"10.0.0.1", "10.0.0.0/8", " ::1"}}, ""},
		"few connections":  {Config{PoolSize: 2, ImportLimit: 1, Connections: 5}, "FETCHQ_MAX_CONNECTIONS"},
		"no key":           {Config{PoolSize: 2, ImportLimit: 1, TLSCert: "cert.pem"}, "FETCHQ_TLS_KEY"},
		"short key":        {Config{PoolSize: 2, ImportLimit: 1, SecretKey: "a short key"}, "FETCHQ_SECRET_KEY"},
		"a key":            {Config{PoolSize: 2, ImportLimit: 1, SecretKey: strings.Repeat("k", 32)}, ""},
		"admin alone":      {Config{PoolSize: 2, ImportLimit: 1, AdminEmail: "ann@example.org"}, "FETCHQ_ADMIN_PASSWORD"},
	} {
		err := tt.c.Check()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSiteIsWhereABrowserFindsThePages(t *testing.T) {
	for _, tt := range []struct{ base, listen, want string }{
		{"", "127.0.0.1:8080", "http://127.0.0.1:8080"}, {"", ":8080", "http://localhost:8080"}, {"", "0.0.0.0:80", "http://localhost:80"},
		{"", "[::]:8080", "http://localhost:8080"}, {"", "[2001:db8::1]:8080", "http://[2001:db8::1]:8080"}, {"", "queue.lan:8080", "http://queue.lan:8080"},
		{"https://queue.example.org/", "127.0.0.1:8080", "https://queue.example.org"},
	} {
		if got := (Config{BaseURL: tt.base}).Site(tt.listen); got != tt.want {
			t.Errorf("%q, %q: %q; %q is wanted", tt.base, tt.listen, got, tt.want)
		}
	}
}

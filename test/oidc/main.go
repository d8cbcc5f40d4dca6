// Command oidc is an OpenID provider for tests: zitadel's, with people who are told to it and sign in by their names alone.
//
//	oidc -listen 127.0.0.1:5556 -issuer http://127.0.0.1:5555 -redirect http://127.0.0.1:8080/login/provider/callback
//
// PUT /people/NAME with {"email", "verified", "name", "groups", "in_token"} makes or changes somebody. It ends when its standard input does.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"html/template"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"

	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// Clients of the provider: Fetchq, and another program.
const (
	client, clientSecret = "fetchq", "the secret of fetchq"
	other, otherSecret   = "other", "the secret of another"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "where to listen")
	issuer := flag.String("issuer", "", "the address by which it is known")
	redirect := flag.String("redirect", "", "where both clients let it send people back")
	flag.Parse()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	storage.RegisterClients(storage.WebClient(client, clientSecret, *redirect), storage.WebClient(other, otherSecret, *redirect))
	kept := newPeople()
	provider, err := op.NewProvider(&op.Config{CryptoKey: [32]byte{1}, CodeMethodS256: true, AuthMethodPost: true},
		kept, op.StaticIssuer(*issuer), op.WithAllowInsecure())
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /people/{name}", func(w http.ResponseWriter, r *http.Request) {
		p := &person{}
		if err := json.NewDecoder(r.Body).Decode(p); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		kept.put(r.PathValue("name"), p)
	})
	mux.HandleFunc("GET /login/username", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = form.Execute(w, r.FormValue("authRequestID"))
	})
	callback := op.AuthCallbackURL(provider)
	mux.Handle("POST /login/username", op.NewIssuerInterceptor(provider.IssuerFromRequest).HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.FormValue("id")
		if err := kept.CheckUsernamePassword(r.FormValue("username"), "", id); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		http.Redirect(w, r, callback(r.Context(), id), http.StatusFound)
	}))
	mux.Handle("/", provider)
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(l.Addr())
	log.Fatal(http.Serve(l, mux)) //nolint:gosec // for a test
}

var form = template.Must(template.New("").Parse(`<!doctype html><title>Provider</title>
<form method="post"><input type="hidden" name="id" value="{{.}}"><label>Name <input id="name" name="username" autofocus></label> <button>Go</button></form>`))

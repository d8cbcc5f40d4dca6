package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/fetchq/server/internal/backup"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/seal"
)

const (
	bucketURL = "s3://bucket/prefix?region=eu-central-1"
	someKey   = "a key of an installation for tests"
)

// keep makes or changes the destination of a key, and returns what credentials it has then.
func (w *world) keep(d Destination) (*backup.Credentials, error) {
	w.t.Helper()
	kept, err := w.put(d)
	if err != nil {
		return nil, err
	}
	return w.s.credentials(kept)
}

func (w *world) put(d Destination) (Destination, error) {
	w.t.Helper()
	if d.Name == "" {
		d.Name = "s3"
	}
	if d.URL == "" {
		d.URL = bucketURL
	}
	kept, err := w.s.PutDestination(w.t.Context(), d, "ann")
	if err == nil && kept.Typed != (Typed{}) {
		w.t.Errorf("what was typed is told: %+v", kept.Typed)
	}
	return kept, err
}

func TestASecretThatIsTypedIsSealedForItsKeyAndURL(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.keep(Destination{AccessKey: "AKIA1", Typed: Typed{Secret: "typed-secret"}}); fieldOf(err) != "secret" || !strings.Contains(err.Error(), "FETCHQ_SECRET_KEY") {
		t.Errorf("without a key of the installation: %v", err)
	}
	if err := w.s.UseKey(someKey); err != nil {
		t.Fatal(err)
	}
	if _, err := w.keep(Destination{AccessKey: "AKIA1"}); fieldOf(err) != "secret" {
		t.Errorf("no secret: %v", err)
	}
	c, err := w.keep(Destination{AccessKey: "AKIA1", Typed: Typed{Secret: "typed-secret", Token: "typed-token"}})
	if err != nil || *c != (backup.Credentials{AccessKey: "AKIA1", Secret: "typed-secret", Token: "typed-token"}) {
		t.Fatalf("%+v, %v", c, err)
	}
	if n := w.number(`select count(*) from fetchq.backup_destinations d where d::text like '%typed-secret%' or position('typed-secret'::bytea in secret) > 0`); n != 0 {
		t.Error("the secret stands in the database as it is")
	}
	d, err := w.s.Destination(t.Context(), "s3")
	if err != nil || d.Secret != Sealed || d.SecretAt == nil || d.AccessKey != "AKIA1" || strings.Contains(fmt.Sprintf("%+v", d), "typed-") {
		t.Fatalf("%+v, %v", d, err)
	}
	set := *d.SecretAt

	// It stays while its key and its URL do.
	if c, err := w.keep(Destination{AccessKey: "AKIA1", Keep: backup.Keep{Last: 3}}); err != nil || c.Secret != "typed-secret" {
		t.Errorf("%+v, %v", c, err)
	}
	if d, err := w.s.Destination(t.Context(), "s3"); err != nil || !d.SecretAt.Equal(set) || d.Keep.Last != 3 {
		t.Errorf("%+v, %v", d, err)
	}
	for name, d := range map[string]Destination{
		"another key": {AccessKey: "AKIA2"}, "another place": {AccessKey: "AKIA1", URL: bucketURL + "&endpoint=" + url.QueryEscape("https://elsewhere.example.org")},
	} {
		if _, err := w.put(d); fieldOf(err) != "secret" {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Who moves it in the database gets nothing.
	for _, change := range []string{`access_key = 'AKIA2'`, `url = 's3://other'`, `name = 'moved'`} {
		w.exec(`update fetchq.backup_destinations set ` + change + ` where name = 's3'`)
		d, err := w.s.Destination(t.Context(), map[bool]string{true: "moved", false: "s3"}[strings.HasPrefix(change, "name")])
		if err != nil {
			t.Fatal(err)
		}
		if c, err := w.s.credentials(d); fieldOf(err) != "secret" || c != nil {
			t.Errorf("%s: %+v, %v", change, c, err)
		}
		w.exec(`update fetchq.backup_destinations set name = 's3', url = $1, access_key = 'AKIA1' where name in ('s3', 'moved')`, bucketURL)
	}
	other := w.node("other", nil)
	if err := other.UseKey(seal.NewKey()); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*Service{"another key": other, "none": w.node("none", nil)} {
		if err := s.Test(t.Context(), "s3"); fieldOf(err) != "destination" || errs.Of(err) != errs.Invalid || !strings.Contains(err.Error(), "FETCHQ_SECRET_KEY") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if c, err := w.keep(Destination{}); err != nil || c != nil {
		t.Errorf("taken away: %+v, %v", c, err)
	}
	if n := w.number(`select num_nonnulls(access_key, secret_ref, secret, secret_at) from fetchq.backup_destinations where name = 's3'`); n != 0 {
		t.Errorf("%d columns are left of it", n)
	}
}

func TestASecretIsFoundByReference(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	env := map[string]string{"FETCHQ_BACKUP_S3_A": " of-the-environment \n its-token \nmore", "FETCHQ_BACKUP_S3_B": "two words", "FETCHQ_BACKUP_KEY": "AGE-SECRET-KEY-1", "DATABASE_URL": "postgres:"}
	w.s = w.node("two", env)
	w.s.SecretFile = func(name string) (string, error) {
		if name != "s3/offsite" {
			return "", errs.New(errs.Invalid, "there is no file %q", name)
		}
		return "of-a-file\n", nil
	}
	for ref, want := range map[string]backup.Credentials{
		"env:FETCHQ_BACKUP_S3_A": {AccessKey: "AKIA1", Secret: "of-the-environment", Token: "its-token"},
		"file:s3/offsite":        {AccessKey: "AKIA1", Secret: "of-a-file"},
	} {
		c, err := w.keep(Destination{AccessKey: "AKIA1", Typed: Typed{Secret: ref}})
		d, err2 := w.s.Destination(t.Context(), "s3")
		if err != nil || err2 != nil || *c != want || d.Secret != ref {
			t.Errorf("%s: %+v, %q, %v, %v", ref, c, d.Secret, err, err2)
		}
		// A reference holds for whatever URL an admin writes beside it.
		if c, err := w.keep(Destination{AccessKey: "AKIA1", URL: "s3://other"}); err != nil || *c != want {
			t.Errorf("%s: %+v, %v", ref, c, err)
		}
	}
	for _, ref := range []string{"env:FETCHQ_BACKUP_S3_B", "env:FETCHQ_BACKUP_S3_C", "file:none"} { // kept, and told by the test
		if c, err := w.keep(Destination{AccessKey: "AKIA1", Typed: Typed{Secret: ref}}); fieldOf(err) != "secret" || c != nil || strings.Contains(err.Error(), "two words") {
			t.Errorf("%s: %+v, %v", ref, c, err)
		}
	}
	// A row that no form has made, as of a backup of somebody else's installation.
	w.exec(`update fetchq.backup_destinations set secret_ref = 'env:DATABASE_URL' where name = 's3'`)
	d, err := w.s.Destination(t.Context(), "s3")
	if err != nil {
		t.Fatal(err)
	}
	if c, err := w.s.credentials(d); fieldOf(err) != "secret" || c != nil {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestAKeyOfADestinationIsRefusedByTheFieldThatIsWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.s.UseKey(someKey); err != nil {
		t.Fatal(err)
	}
	key := func(secret, token string) Destination {
		return Destination{AccessKey: "AKIA1", Typed: Typed{Secret: secret, Token: token}}
	}
	at := func(url string) Destination {
		d := key("hidden", "")
		d.URL = url
		return d
	}
	for _, tt := range []struct {
		d     Destination
		field string
	}{
		{key("env:DATABASE_URL", ""), "secret"}, {key("env:FETCHQ_SECRET_KEY", ""), "secret"}, {key("env:FETCHQ_BACKUP_KEY", ""), "secret"},
		{key("env:", ""), "secret"}, {key("file:", ""), "secret"}, {key("file:/etc/shadow", ""), "secret"}, {key("file:../secret.key", ""), "secret"},
		{key("file:a/../../b", ""), "secret"}, {key("hid den", ""), "secret"}, {key(strings.Repeat("x", 201), ""), "secret"},
		{key("hidden", "hid\nden"), "session_token"}, {key("env:FETCHQ_BACKUP_S3_A", "hidden"), "session_token"}, {key("", "hidden"), "secret"},
		{Destination{Typed: Typed{Secret: "hidden"}}, "access_key"}, {Destination{AccessKey: "A/B", Typed: Typed{Secret: "hidden"}}, "access_key"},
		{at(w.url()), "access_key"}, {at("gs://bucket"), "access_key"}, {at(bucketURL + "&profile=other"), "url"}, {at(bucketURL + "&anonymous=true"), "url"},
	} {
		_, err := w.put(tt.d)
		if field := fieldOf(err); errs.Of(err) != errs.Invalid || field != tt.field || strings.Contains(err.Error(), "hid") {
			t.Errorf("%+v: the field %q, %v", tt.d, field, err)
		}
	}
}

// TestAKeyIsWhatRequestsAreSignedBy has a server that takes no key: what it is sent, and what is told and logged of that, has no secret in it.
func TestAKeyIsWhatRequestsAreSignedBy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var sent, log bytes.Buffer
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		_ = r.Header.Write(&sent)
		out.WriteHeader(http.StatusForbidden)
		fmt.Fprint(out, `<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message></Error>`)
	}))
	defer server.Close()
	w.s.Log = slog.New(slog.NewTextHandler(&log, nil))
	if err := w.s.UseKey(someKey); err != nil {
		t.Fatal(err)
	}
	at := bucketURL + "&use_path_style=true&endpoint=" + url.QueryEscape(server.URL)
	if _, err := w.keep(Destination{URL: at, AccessKey: "AKIA1", Typed: Typed{Secret: "typed-secret"}}); err != nil {
		t.Fatal(err)
	}
	err := w.s.Test(t.Context(), "s3")
	d, err2 := w.s.Destination(t.Context(), "s3")
	if errs.Of(err) != errs.Forbidden || err2 != nil || d.TestError == nil || !strings.Contains(*d.TestError, "the credentials are wrong") {
		t.Errorf("%v; %+v, %v", err, d, err2)
	}
	all := sent.String() + log.String() + fmt.Sprintf("%v %+v", errors.Unwrap(err), d)
	if !strings.Contains(sent.String(), "Credential=AKIA1/") || !strings.Contains(log.String(), "the test of a destination failed") || strings.Contains(all, "typed-secret") {
		t.Errorf("%s", all)
	}
}

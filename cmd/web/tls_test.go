package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// certify writes a certificate for loopback, with a number, and its key into the place.
func (p *place) certify(number int64) {
	p.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	like := &x509.Certificate{
		SerialNumber: big.NewInt(number), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	cert, err := x509.CreateCertificate(rand.Reader, like, like, &key.PublicKey, key)
	if err != nil {
		p.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		p.t.Fatal(err)
	}
	p.write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
	p.write("cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
}

func (p *place) write(name string, text []byte) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), text, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// served is the number of the certificate that a new connection gets.
func (p *place) served() int64 {
	p.t.Helper()
	conn, err := tls.Dial("tcp", p.addr, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // it is looked at below
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

func TestServeWithTLSAndTakeUpANewCertificate(t *testing.T) {
	if testing.Short() {
		t.Skip("a program with a Postgres of its own")
	}
	t.Parallel()
	p := newPlace(t)
	p.certify(1)
	p.set("FETCHQ_TLS_CERT", filepath.Join(p.dir, "cert.pem"))
	p.set("FETCHQ_TLS_KEY", filepath.Join(p.dir, "key.pem"))
	r := p.serve()
	if !strings.HasPrefix(r.line, "fetchq is ready at https://"+p.addr) || !strings.Contains(r.next(), " https://"+p.addr+"/setup/") {
		t.Errorf("it is told to be at %q", r.line)
	}
	if out := p.must("health"); out != "ready" {
		t.Errorf("health says %q", out)
	}
	text, err := os.ReadFile(filepath.Join(p.dir, "cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(text)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}, ForceAttemptHTTP2: true}}
	resp, err := client.Get("https://" + p.addr + "/login")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 || resp.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%s by %s, Strict-Transport-Security is %q", resp.Status, resp.Proto, resp.Header.Get("Strict-Transport-Security"))
	}
	for _, cookie := range resp.Cookies() {
		if !cookie.Secure {
			t.Errorf("the cookie %s would go out without TLS", cookie.Name)
		}
	}
	if plain, err := http.Get("http://" + p.addr + "/login"); err != nil || plain.StatusCode != http.StatusBadRequest {
		t.Errorf("without TLS: %v, %v", plain, err)
	}
	p.certify(2)
	for deadline := time.Now().Add(time.Minute); p.served() != 2; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the new certificate is not served")
		}
	}
	p.write("key.pem", []byte("no key"))
	for until := time.Now().Add(2500 * time.Millisecond); time.Now().Before(until); time.Sleep(100 * time.Millisecond) { // it looks each second
		if n := p.served(); n != 2 {
			t.Fatalf("with a broken key the certificate %d is served", n)
		}
	}
	r.signal(syscall.SIGTERM)
	if n := strings.Count(r.stderr.String(), "the one before is served"); n != 1 {
		t.Errorf("that the key is broken is said %d times:\n%s", n, r.stderr)
	}
}

func TestServeWithoutAUsableCertificateSaysWhy(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.certify(1)
	p.write("key.pem", []byte("no key"))
	p.set("FETCHQ_TLS_CERT", filepath.Join(p.dir, "cert.pem"))
	if _, said, code := p.command("serve"); code == 0 || !strings.Contains(said, "FETCHQ_TLS_CERT and FETCHQ_TLS_KEY go together") {
		t.Errorf("without a key: exit code %d, %s", code, said)
	}
	p.set("FETCHQ_TLS_KEY", filepath.Join(p.dir, "key.pem"))
	if _, said, code := p.command("serve"); code == 0 || !strings.Contains(said, "cannot be used together") {
		t.Errorf("with a broken key: exit code %d, %s", code, said)
	}
}

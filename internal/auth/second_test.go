package auth

import (
	"bytes"
	"context"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"image/png"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/pquerna/otp/hotp"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/seal"
)

const testKey = "a key of an installation for tests"

// app is somebody's app that shows codes.
type app struct {
	c      *crew
	secret string
}

// enrol gives a user a second factor, whose app has not shown a code that is still good.
func (c *crew) enrol(u User) (app, []string) {
	c.t.Helper()
	if err := c.UseKey(testKey); err != nil {
		c.t.Fatal(err)
	}
	if err := c.Enrol(c.t.Context(), u, goodPassword); err != nil {
		c.t.Fatal(err)
	}
	e, err := c.Enrolling(c.t.Context(), u, "Fetchq")
	if err != nil {
		c.t.Fatal(err)
	}
	a := app{c, e.Secret()}
	codes, err := c.Confirm(c.t.Context(), u, a.code(0), uuid.New())
	if err != nil || len(codes) != 10 {
		c.t.Fatalf("%d recovery codes, %v", len(codes), err)
	}
	c.exec(`update fetchq.second_factors set last_step = 0 where user_id = $1`, u.ID)
	return a, codes
}

// code is what the app shows so many steps from now, by the clock of the database.
func (a app) code(steps int) string {
	now := a.c.count(`select floor(extract(epoch from clock_timestamp()) / 30)::int`)
	code, err := hotp.GenerateCode(a.secret, uint64(now+steps)) //nolint:gosec // not below 0
	if err != nil {
		a.c.t.Fatal(err)
	}
	return code
}

// half signs in with a password and returns what the second step wants.
func (c *crew) half(u User) string {
	c.t.Helper()
	got, err := c.SignIn(c.t.Context(), u.Email, goodPassword, "192.0.2.1")
	var step *SecondStep
	if !errors.As(err, &step) || got.ID != uuid.Nil {
		c.t.Fatalf("the password alone: %v, %v", got, err)
	}
	return step.Text
}

func (c *crew) finish(half, code string) error {
	_, err := c.FinishSignIn(context.Background(), half, code, "192.0.2.1")
	return err
}

func TestASecondFactorHoldsOnceACodeConfirmsIt(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	ann := c.add("ann@example.org", RoleAdmin)
	if err := c.Enrol(t.Context(), ann, goodPassword); errs.Of(err) != errs.Unavailable {
		t.Errorf("without a key: %v", err)
	}
	if err := c.UseKey(testKey); err != nil {
		t.Fatal(err)
	}
	if err := c.Enrol(t.Context(), ann, "a wrong password"); field(err) != "current" {
		t.Errorf("a wrong password: %v", err)
	}
	if _, err := c.Enrolling(t.Context(), ann, "Fetchq"); errs.Of(err) != errs.NotFound {
		t.Errorf("nothing was begun: %v", err)
	}
	if err := c.Enrol(t.Context(), ann, goodPassword); err != nil {
		t.Fatal(err)
	}
	e, err := c.Enrolling(t.Context(), ann, "Fetchq queue.example.org")
	if err != nil || !strings.Contains(e.key.URL(), "ann@example.org") || !strings.Contains(e.key.URL(), "issuer=Fetchq%20queue.example.org") {
		t.Errorf("%v, %v", e.key, err)
	}
	picture, err := e.QR()
	if err != nil {
		t.Fatal(err)
	}
	if image, err := png.Decode(bytes.NewReader(picture)); err != nil || image.Bounds().Dx() != qrSize {
		t.Errorf("the picture: %v", err)
	}
	shared, err := base32.StdEncoding.DecodeString(e.Secret())
	if err != nil || len(shared) != secretBytes || c.count(`select position('\x`+hex.EncodeToString(shared)+`'::bytea in secret) from fetchq.second_factors`) != 0 {
		t.Errorf("the secret is not sealed: %v", err)
	}
	if _, err := c.SignIn(t.Context(), ann.Email, goodPassword, "192.0.2.1"); err != nil {
		t.Errorf("one that is being set up keeps its owner out: %v", err)
	}
	keep := uuid.New()
	for _, id := range []uuid.UUID{keep, uuid.New()} {
		c.exec(`insert into fetchq.sessions (hash, id, user_id, expires_at, address, agent)
			values ($1::uuid::text::bytea, $1, $2, clock_timestamp() + interval '1 day', '', '')`, id, ann.ID)
	}
	a := app{c, e.Secret()}
	if _, err := c.Confirm(t.Context(), ann, a.code(7), keep); field(err) != "code" {
		t.Errorf("a wrong code: %v", err)
	}
	c.exec(`update fetchq.second_factors set created_at = created_at - interval '10 minutes'`)
	if _, err := c.Confirm(t.Context(), ann, a.code(0), keep); errs.Of(err) != errs.NotFound {
		t.Errorf("ten minutes later: %v", err)
	}
	c.exec(`update fetchq.second_factors set created_at = clock_timestamp()`)
	code := a.code(0)
	if _, err := c.Confirm(t.Context(), ann, code[:3]+" "+code[3:], keep); err != nil {
		t.Fatal(err)
	}
	if n := c.count(`select count(*) from fetchq.sessions`); n != 1 {
		t.Errorf("%d sessions are left", n)
	}
	if second, err := c.Second(t.Context(), ann.ID); err != nil || second.Since == nil || second.Left != 10 {
		t.Errorf("%+v, %v", second, err)
	}
	if err := c.Enrol(t.Context(), ann, goodPassword); errs.Of(err) != errs.Exists {
		t.Errorf("another one: %v", err)
	}
	if err := c.finish(c.half(ann), code); field(err) != "code" {
		t.Errorf("the code that confirmed it signs in: %v", err)
	}
}

func TestNoCodeIsTakenTwice(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	ann := c.add("ann@example.org", RoleAdmin)
	a, recovery := c.enrol(ann)
	for name, code := range map[string]string{"app": a.code(1), "recovery": recovery[3]} {
		var in atomic.Int32
		var all sync.WaitGroup
		for range 4 {
			half := c.half(ann)
			all.Go(func() {
				if err := c.finish(half, code); err == nil {
					in.Add(1)
				} else if field(err) != "code" {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		all.Wait()
		if in.Load() != 1 {
			t.Errorf("%s: one code let %d in", name, in.Load())
		}
	}
	if err := c.finish(c.half(ann), a.code(0)); field(err) != "code" {
		t.Errorf("a code from before the one that was taken: %v", err)
	}
	if second, err := c.Second(t.Context(), ann.ID); err != nil || second.Left != 9 {
		t.Errorf("%d codes are left, %v", second.Left, err)
	}
	if err := c.finish(c.half(ann), " "+strings.ToUpper(recovery[4])+" "); err != nil {
		t.Errorf("a recovery code in capitals: %v", err)
	}
	fresh, err := c.NewRecovery(t.Context(), ann, goodPassword)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.finish(c.half(ann), recovery[5]); field(err) != "code" {
		t.Errorf("one that was replaced: %v", err)
	}
	if err := c.finish(c.half(ann), fresh[0]); err != nil {
		t.Errorf("a new one: %v", err)
	}
	if n := c.count(`select count(*) from fetchq.recovery_codes where hash = '` + fresh[1] + `'`); n != 0 {
		t.Error("a recovery code is stored as it is")
	}
}

func TestAHalfSignInEnds(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	ann, eve := c.add("ann@example.org", RoleAdmin), c.add("eve@example.org", RoleAdmin)
	a, _ := c.enrol(ann)
	for name, end := range map[string]func(half string){
		"five minutes": func(string) { c.exec(`update fetchq.half_sign_ins set expires_at = expires_at - interval '5 minutes'`) },
		"another password": func(string) {
			c.exec(`update fetchq.users set password = password || 'x' where id = $1`, ann.ID)
		},
		"disabled": func(string) {
			if _, err := c.Disable(t.Context(), ann.ID); err != nil {
				t.Fatal(err)
			}
		},
		"too many tries": func(half string) {
			for range halfTries {
				if err := c.finish(half, "000000"); field(err) != "code" {
					t.Errorf("a wrong code: %v", err)
				}
			}
		},
		"reset": func(string) {
			if err := c.ResetSecond(t.Context(), ann.ID); err != nil {
				t.Fatal(err)
			}
		},
	} {
		half := c.half(ann)
		end(half)
		if err := c.finish(half, a.code(0)); errs.Of(err) != errs.NotFound {
			t.Errorf("%s: %v", name, err)
		}
		c.exec(`delete from fetchq.second_factors`)
		c.exec(`update fetchq.users set disabled_at = null, password = (select password from fetchq.users where id = $2) where id = $1`, ann.ID, eve.ID)
		c.clock.at = c.clock.at.Add(time.Hour)
		a, _ = c.enrol(ann)
	}
	half := c.half(ann)
	if err := c.finish(half, a.code(0)); err != nil {
		t.Fatal(err)
	}
	if err := c.finish(half, a.code(1)); errs.Of(err) != errs.NotFound {
		t.Errorf("one that let somebody in: %v", err)
	}
	for _, text := range []string{"", "x", half + "x", "\x00"} {
		if err := c.finish(text, a.code(1)); errs.Of(err) != errs.NotFound {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestCodesAreThrottledOverManyPasswords(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	ann := c.add("ann@example.org", RoleAdmin)
	a, recovery := c.enrol(ann)
	for n := range 10 {
		if err := c.finish(c.half(ann), "000000"); field(err) != "code" {
			t.Errorf("guess %d: %v", n, err)
		}
	}
	for _, code := range []string{a.code(0), recovery[0]} {
		if err := c.finish(c.half(ann), code); errs.Of(err) != errs.Throttled {
			t.Errorf("the right one after ten wrong ones: %v", err)
		}
	}
	// Others do not lock the owner out.
	c.exec(`insert into fetchq.sessions (hash, id, user_id, expires_at, address, agent)
		values ('x', gen_random_uuid(), $1, clock_timestamp() + interval '1 day', '198.51.100.7', '')`, ann.ID)
	if _, err := c.FinishSignIn(t.Context(), c.half(ann), a.code(0), "198.51.100.7"); err != nil {
		t.Errorf("from the owner's address: %v", err)
	}
}

func TestALinkStandsForThePasswordOnly(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	ann := c.add("ann@example.org", RoleAdmin)
	a, _ := c.enrol(ann)
	_, err := c.UseLink(t.Context(), c.link(ann), goodPassword)
	var step *SecondStep
	if !errors.As(err, &step) {
		t.Fatalf("the link alone: %v", err)
	}
	if err := c.finish(step.Text, a.code(0)); err != nil {
		t.Errorf("with a code: %v", err)
	}
	text, err := c.ResetLink(t.Context(), ann.ID)
	if err != nil {
		t.Fatal(err)
	}
	c.half(ann) // the second factor holds until the link is used
	if u, err := c.UseLink(t.Context(), text, goodPassword); err != nil || u.SecondFactor {
		t.Errorf("by a link of fetchq user reset: %+v, %v", u, err)
	}
	if _, err := c.SignIn(t.Context(), ann.Email, goodPassword, "192.0.2.1"); err != nil {
		t.Errorf("without a second factor: %v", err)
	}
}

func TestWithoutTheKeyOnlyRecoveryCodesLetIn(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	ann := c.add("ann@example.org", RoleAdmin)
	a, recovery := c.enrol(ann)
	half := c.half(ann)
	for name, key := range map[string]func() error{"none": func() error { c.sealer = nil; return nil }, "another": func() error { return c.UseKey(seal.NewKey()) }} {
		if err := key(); err != nil {
			t.Fatal(err)
		}
		if err := c.finish(half, a.code(0)); errs.Of(err) != errs.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := c.finish(half, recovery[0]); err != nil {
		t.Errorf("a recovery code: %v", err)
	}
}

func TestWhoLostTheSecondFactorIsSignedOut(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	ann := c.add("ann@example.org", RoleAdmin)
	if err := c.ResetSecond(t.Context(), ann.ID); errs.Of(err) != errs.NotFound {
		t.Errorf("there is none: %v", err)
	}
	c.enrol(ann)
	c.exec(`insert into fetchq.sessions (hash, id, user_id, expires_at, address, agent)
		values ('x', gen_random_uuid(), $1, clock_timestamp() + interval '1 day', '', '')`, ann.ID)
	if err := c.DropSecond(t.Context(), ann, "a wrong password"); field(err) != "current" {
		t.Errorf("without the password: %v", err)
	}
	if _, err := c.NewRecovery(t.Context(), ann, "a wrong password"); field(err) != "current" {
		t.Errorf("recovery codes without the password: %v", err)
	}
	if err := c.ResetSecond(t.Context(), ann.ID); err != nil {
		t.Fatal(err)
	}
	if n := c.count(`select (select count(*) from fetchq.sessions) + (select count(*) from fetchq.recovery_codes)`); n != 0 {
		t.Errorf("%d sessions and codes are left", n)
	}
	c.enrol(ann)
	if err := c.DropSecond(t.Context(), ann, goodPassword); err != nil {
		t.Error(err)
	}
	if _, err := c.NewRecovery(t.Context(), ann, goodPassword); errs.Of(err) != errs.NotFound {
		t.Errorf("recovery codes of nothing: %v", err)
	}
}

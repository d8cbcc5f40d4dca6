package auth

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"golang.org/x/crypto/argon2"

	"github.com/fetchq/server/internal/errs"
)

// TestARefusalIsTheSameWhoeverIsAsked compares what is said and what is hashed, for a time on a busy machine proves nothing.
func TestARefusalIsTheSameWhoeverIsAsked(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	c.add("ann@example.org", RoleAdmin)
	if _, err := c.Create(t.Context(), "waits@example.org", "", RoleViewer); err != nil {
		t.Fatal(err)
	}
	bob := c.add("bob@example.org", RoleViewer)
	if _, err := c.Disable(t.Context(), bob.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := c.SignIn(t.Context(), "ann@example.org", goodPassword, "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	usual := c.hashes.taken()
	if len(usual) != 1 {
		t.Fatalf("signing in made the hashes %q", usual)
	}
	for name, try := range map[string][2]string{
		"wrong password": {"ann@example.org", "a wrong password"}, "unknown": {"nobody@example.org", goodPassword},
		"no password yet": {"waits@example.org", goodPassword}, "disabled": {"bob@example.org", goodPassword}, "empty": {"", ""},
		"no password yet, and none given": {"waits@example.org", ""}, "too long": {"ann@example.org", goodPassword + strings.Repeat("x", MaxPassword)},
		"no text": {"\x00\xff", "\x00"}, "address too long": {strings.Repeat("x", 1<<20) + "@example.org", goodPassword},
	} {
		_, err := c.SignIn(t.Context(), try[0], try[1], "192.0.2.1")
		if errs.Of(err) != errs.Unauthenticated || err.Error() != errWrong.Error() {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(usual, c.hashes.taken()); diff != "" {
			t.Errorf("%s: not one hash of the usual cost: %s", name, diff)
		}
	}
}

func TestNoHashIsMadeForWhoGuessesTooMuch(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	c.add("ann@example.org", RoleAdmin)
	guess := func(address string) error {
		_, err := c.SignIn(context.Background(), "Ann@example.org", "a wrong password", address)
		return err
	}
	for n := range 10 {
		if err := guess(fmt.Sprintf("192.0.2.%d", n)); errs.Of(err) != errs.Unauthenticated {
			t.Fatalf("guess %d: %v", n, err)
		}
	}
	c.hashes.taken()
	if err := guess("192.0.2.99"); errs.Of(err) != errs.Throttled {
		t.Errorf("one more for this account: %v", err)
	}
	if _, err := c.SignIn(t.Context(), "ann@example.org", goodPassword, "192.0.2.99"); errs.Of(err) != errs.Throttled {
		t.Errorf("the right password meanwhile: %v", err)
	}
	if made := c.hashes.taken(); len(made) != 0 {
		t.Errorf("hashes were made: %q", made)
	}
	c.clock.at = c.clock.at.Add(10 * time.Second)
	if err := guess("192.0.2.99"); errs.Of(err) != errs.Unauthenticated {
		t.Errorf("after 10 s: %v", err)
	}
	if err := guess("192.0.2.99"); errs.Of(err) != errs.Throttled {
		t.Errorf("and once more: %v", err)
	}
	c.clock.at = c.clock.at.Add(10 * time.Second)
	if _, err := c.SignIn(t.Context(), "ann@example.org", goodPassword, "192.0.2.99"); err != nil {
		t.Errorf("the right password after 10 s: %v", err)
	}
	if err := guess("192.0.2.99"); errs.Of(err) != errs.Unauthenticated {
		t.Errorf("after the right password: %v", err)
	}
}

func TestManyGuessesAtOnceAreCountedAsMany(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	c.add("ann@example.org", RoleAdmin)
	var all sync.WaitGroup
	for n := range 30 {
		all.Go(func() {
			_, _ = c.SignIn(context.Background(), "ann@example.org", "a wrong password", fmt.Sprintf("192.0.2.%d", n))
		})
	}
	all.Wait()
	if made := len(c.hashes.taken()); made != 10 {
		t.Errorf("%d hashes were made; 10 tries are allowed", made)
	}
}

func TestAnAddressThatTriesManyAccountsIsSlowedDown(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	refused := 0
	for n := range 40 {
		// One customer has 2^64 addresses of IPv6.
		_, err := c.SignIn(t.Context(), fmt.Sprintf("user%d@example.org", n), "a wrong password", fmt.Sprintf("2001:db8:0:1::%x", n))
		if errs.Of(err) == errs.Throttled {
			refused++
		}
	}
	if made := len(c.hashes.taken()); made != 30 || refused != 10 {
		t.Errorf("%d hashes were made and %d tries refused; 30 and 10 are wanted", made, refused)
	}
	if _, err := c.SignIn(t.Context(), "user@example.org", "a wrong password", "2001:db8:0:2::1"); errs.Of(err) != errs.Unauthenticated {
		t.Errorf("a neighbour: %v", err)
	}
}

func TestNobodyIsLockedOutOfTheirOwnAddressByOthers(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	ann := c.add("ann@example.org", RoleAdmin)
	c.exec(`insert into fetchq.sessions (hash, id, user_id, expires_at, address, agent)
		values ('x', gen_random_uuid(), $1, clock_timestamp() + interval '1 day', '192.0.2.1', '')`, ann.ID)
	for n := range 20 {
		_, _ = c.SignIn(t.Context(), ann.Email, "a wrong password", fmt.Sprintf("198.51.100.%d", n))
	}
	if _, err := c.SignIn(t.Context(), ann.Email, goodPassword, "198.51.100.99"); errs.Of(err) != errs.Throttled {
		t.Errorf("from elsewhere: %v", err)
	}
	if _, err := c.SignIn(t.Context(), ann.Email, goodPassword, "192.0.2.1"); err != nil {
		t.Errorf("from the owner's address: %v", err)
	}
}

func TestAPasswordThatChangesWhileItIsComparedIsWrong(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	ann := c.add("ann@example.org", RoleAdmin)
	c.add("bob@example.org", RoleAdmin)
	for name, sql := range map[string]string{
		"changed":  `update fetchq.users set password = 'another' where id = $1`,
		"disabled": `update fetchq.users set disabled_at = clock_timestamp() where id = $1`,
	} {
		var phc string
		if err := c.db.QueryRow(t.Context(), `select password from fetchq.users where id = $1`, ann.ID).Scan(&phc); err != nil {
			t.Fatal(err)
		}
		c.hasher.derive = func(password, salt []byte, passes, memory uint32, lanes uint8, size uint32) []byte {
			c.exec(sql, ann.ID)
			return c.hashes.derive(password, salt, passes, memory, lanes, size)
		}
		if _, err := c.SignIn(t.Context(), ann.Email, goodPassword, "192.0.2.1"); errs.Of(err) != errs.Unauthenticated {
			t.Errorf("%s: %v", name, err)
		}
		c.hasher.derive = c.hashes.derive
		c.exec(`update fetchq.users set password = $2, disabled_at = null where id = $1`, ann.ID, phc)
	}
}

func TestChangePasswordWantsThePresentOneAndEndsAllElse(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	ann := c.add("ann@example.org", RoleAdmin)
	link := c.link(ann)
	keep := uuid.New()
	for _, id := range []uuid.UUID{keep, uuid.New()} {
		c.exec(`insert into fetchq.sessions (hash, id, user_id, expires_at, address, agent)
			values ($1::uuid::text::bytea, $1, $2, clock_timestamp() + interval '1 day', '', '')`, id, ann.ID)
	}
	if err := c.ChangePassword(t.Context(), ann, goodPassword, "short", keep); field(err) != "password" {
		t.Errorf("a short one: %v", err)
	}
	if made := c.hashes.taken(); len(made) != 0 {
		t.Errorf("hashes for a short one: %q", made)
	}
	for _, wrong := range []string{"", "a wrong password", goodPassword + strings.Repeat("x", MaxPassword)} {
		if err := c.ChangePassword(t.Context(), ann, wrong, "another good password", keep); errs.Of(err) != errs.Invalid || field(err) != "current" {
			t.Errorf("%.20q: %v", wrong, err)
		}
	}
	if n := c.count(`select count(*) from fetchq.sessions`); n != 2 {
		t.Errorf("%d sessions are left by what was refused", n)
	}
	if err := c.ChangePassword(t.Context(), ann, goodPassword, "another good password", keep); err != nil {
		t.Fatal(err)
	}
	if n := c.count(`select count(*) from fetchq.sessions`); n != 1 {
		t.Errorf("%d sessions are left", n)
	}
	if err := c.LinkIsOver(link); err != nil {
		t.Error(err)
	}
	if _, err := c.SignIn(t.Context(), ann.Email, "another good password", "192.0.2.1"); err != nil {
		t.Error(err)
	}
	for range 10 {
		_ = c.ChangePassword(t.Context(), ann, "a wrong password", goodPassword, keep)
	}
	c.hashes.taken()
	if err := c.ChangePassword(t.Context(), ann, "another good password", goodPassword, keep); errs.Of(err) != errs.Throttled || len(c.hashes.taken()) != 0 {
		t.Errorf("after ten wrong ones: %v", err)
	}
}

func TestAHashOfOtherCostsIsMadeAnewAtSignIn(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	ann := c.add("ann@example.org", RoleAdmin)
	c.hasher.derive = argon2.IDKey
	key := argon2.IDKey([]byte(goodPassword), []byte("somesalt"), 1, 64, 1, 32)
	c.exec(`update fetchq.users set password = $2 where id = $1`, ann.ID, "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$"+base64.RawStdEncoding.EncodeToString(key))
	stored := func() (phc string) {
		if err := c.db.QueryRow(t.Context(), `select password from fetchq.users where id = $1`, ann.ID).Scan(&phc); err != nil {
			t.Fatal(err)
		}
		return phc
	}
	if _, err := c.SignIn(t.Context(), ann.Email, "a wrong password", "192.0.2.1"); errs.Of(err) != errs.Unauthenticated || !strings.Contains(stored(), "m=64,") {
		t.Errorf("a wrong password: %v, and the hash is %s", err, stored())
	}
	if _, err := c.SignIn(t.Context(), ann.Email, goodPassword, "192.0.2.1"); err != nil || !strings.HasPrefix(stored(), "$argon2id$v=19$m=49152,t=3,p=1$") {
		t.Errorf("the right one: %v, and the hash is %s", err, stored())
	}
	today := stored()
	if _, err := c.SignIn(t.Context(), ann.Email, goodPassword, "192.0.2.1"); err != nil || stored() != today {
		t.Errorf("once more: %v, and the hash is %s", err, stored())
	}
}

// TestTwoWhoSignInAtOnceWithAHashOfOldBothComeIn has one of them sign in while the hash of the other is made, and make the stored one anew.
func TestTwoWhoSignInAtOnceWithAHashOfOldBothComeIn(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	ann := c.add("ann@example.org", RoleAdmin)
	key := argon2.IDKey([]byte(goodPassword), []byte("somesalt"), 1, 64, 1, 32)
	c.exec(`update fetchq.users set password = $2 where id = $1`, ann.ID, "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$"+base64.RawStdEncoding.EncodeToString(key))
	var began atomic.Bool
	c.hasher.derive = func(password, salt []byte, passes, memory uint32, lanes uint8, size uint32) []byte {
		if !began.Swap(true) {
			if _, err := c.SignIn(t.Context(), ann.Email, goodPassword, "192.0.2.1"); err != nil {
				t.Errorf("the other one: %v", err)
			}
		}
		return argon2.IDKey(password, salt, passes, memory, lanes, size)
	}
	if _, err := c.SignIn(t.Context(), ann.Email, goodPassword, "192.0.2.1"); err != nil {
		t.Error(err)
	}
}

// LinkIsOver says what is wrong with a link that should be over.
func (c *crew) LinkIsOver(text string) error {
	if _, err := c.LinkUser(context.Background(), text); errs.Of(err) != errs.NotFound {
		return fmt.Errorf("the link is not over: %w", err)
	}
	return nil
}

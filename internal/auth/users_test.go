package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/errs"
)

// hashes counts what is hashed, in place of a hash that takes memory and time.
type hashes struct {
	mu    sync.Mutex
	costs []string
}

func (h *hashes) derive(password, salt []byte, passes, memory uint32, _ uint8, size uint32) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.costs = append(h.costs, fmt.Sprintf("%d passes over %d KiB for %d bytes", passes, memory, size))
	sum := sha256.Sum256(append(append([]byte{}, salt...), password...))
	return sum[:size]
}

// taken returns the costs of all hashes since the last call.
func (h *hashes) taken() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	costs := h.costs
	h.costs = nil
	return costs
}

const goodPassword = "correct horse battery"

// crew is the store of people on a database of its own, with a clock that the test moves and hashes that are counted.
type crew struct {
	*Users
	t      *testing.T
	db     *pgxpool.Pool
	clock  *clock
	hashes *hashes
}

func newCrew(t *testing.T) *crew {
	t.Helper()
	c := &crew{t: t, db: dbtest.New(t), clock: &clock{time.Now()}, hashes: &hashes{}}
	c.Users = NewUsers(c.db, c.clock.now)
	c.hasher.derive = c.hashes.derive
	return c
}

// add makes a user with a password.
func (c *crew) add(email string, role Role) User {
	c.t.Helper()
	u, err := c.Create(c.t.Context(), email, "", role)
	if err != nil {
		c.t.Fatal(err)
	}
	if u, err = c.UseLink(c.t.Context(), c.link(u), goodPassword); err != nil {
		c.t.Fatal(err)
	}
	c.hashes.taken()
	return u
}

func (c *crew) link(u User) string {
	c.t.Helper()
	text, err := c.Link(c.t.Context(), u.ID)
	if err != nil {
		c.t.Fatal(err)
	}
	return text
}

// exec changes rows, as time would.
func (c *crew) exec(sql string, args ...any) {
	c.t.Helper()
	if _, err := c.db.Exec(c.t.Context(), sql, args...); err != nil {
		c.t.Fatal(err)
	}
}

// count is what a query counts.
func (c *crew) count(sql string) (n int) {
	c.t.Helper()
	if err := c.db.QueryRow(c.t.Context(), sql).Scan(&n); err != nil {
		c.t.Fatal(err)
	}
	return n
}

// field is the field that an error is about.
func field(err error) string {
	var e *errs.Error
	if errors.As(err, &e) {
		return e.Field
	}
	return ""
}

func TestAnAddressStandsOnceInAnyCaseOfItsLetters(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	u := c.add("Ann.Ä@Example.org", RoleAdmin)
	if _, err := c.Create(t.Context(), " ann.Ä@example.ORG ", "", RoleViewer); errs.Of(err) != errs.Exists || field(err) != "email" {
		t.Errorf("the same address again: %v", err)
	}
	for _, email := range []string{"Ann.Ä@Example.org", "ann.Ä@example.org", " ANN.Ä@EXAMPLE.ORG "} {
		if got, err := c.Find(t.Context(), email); err != nil || got.ID != u.ID {
			t.Errorf("find %q: %v", email, err)
		}
		if got, err := c.SignIn(t.Context(), email, goodPassword, "192.0.2.1"); err != nil || got.ID != u.ID {
			t.Errorf("sign in as %q: %v", email, err)
		}
	}
	for _, email := range []string{"nobody@example.org", "", "\x00", "\xff", strings.Repeat("x", 1<<20)} {
		if _, err := c.Find(t.Context(), email); errs.Of(err) != errs.NotFound {
			t.Errorf("find %.20q: %v", email, err)
		}
	}
}

func TestCreateNamesWhatItRefusesOfAUser(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	for _, tt := range []struct {
		email, name string
		role        Role
		field       string
	}{
		{"", "", RoleViewer, "email"}, {"ann", "", RoleViewer, "email"}, {"Ann <ann@example.org>", "", RoleViewer, "email"},
		{"a\x00@example.org", "", RoleViewer, "email"}, {strings.Repeat("a", 250) + "@b.org", "", RoleViewer, "email"},
		{"ann@example.org", strings.Repeat("n", 101), RoleViewer, "name"}, {"ann@example.org", "a\x00b", RoleViewer, "name"},
		{"ann@example.org", "a\x1b[2Jb", RoleViewer, "name"}, {"ann@example.org", "\xff", RoleViewer, "name"}, {"ann@example.org", "", "root", "role"},
		{"ann@example.org", "", "", "role"},
	} {
		if _, err := c.Create(t.Context(), tt.email, tt.name, tt.role); errs.Of(err) != errs.Invalid || field(err) != tt.field {
			t.Errorf("%+v: %v", tt, err)
		}
	}
	if n := c.count(`select count(*) from fetchq.users`); n != 0 {
		t.Errorf("there are %d users", n)
	}
}

func TestTheLastAdminStaysOne(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	ann := c.add("ann@example.org", RoleAdmin)
	c.add("bob@example.org", RoleOperator)
	if _, err := c.SetRole(t.Context(), ann.ID, RoleViewer); errs.Of(err) != errs.Invalid || field(err) != "role" {
		t.Errorf("a lesser role: %v", err)
	}
	if _, err := c.Disable(t.Context(), ann.ID); errs.Of(err) != errs.Invalid || field(err) != "user" {
		t.Errorf("disabling: %v", err)
	}
	if got, err := c.Get(t.Context(), ann.ID); err != nil || got.Role != RoleAdmin || got.DisabledAt != nil {
		t.Errorf("the admin is %+v, %v", got, err)
	}
	eve := c.add("eve@example.org", RoleAdmin)
	if _, err := c.Disable(t.Context(), eve.ID); err != nil {
		t.Error(err)
	}
	if _, err := c.SetRole(t.Context(), ann.ID, RoleViewer); errs.Of(err) != errs.Invalid {
		t.Errorf("a disabled admin counts as one who governs: %v", err)
	}
}

func TestTwoAdminsWhoRemoveEachOtherAtOnceLeaveOne(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	ann, bob := c.add("ann@example.org", RoleAdmin), c.add("bob@example.org", RoleAdmin)
	release := c.holdCommits()
	var all sync.WaitGroup
	var failed [2]error
	all.Go(func() { _, failed[0] = c.SetRole(context.Background(), ann.ID, RoleViewer) })
	all.Go(func() { _, failed[1] = c.Disable(context.Background(), bob.ID) })
	release(2)
	all.Wait()
	if (failed[0] == nil) == (failed[1] == nil) {
		t.Errorf("both or none went through: %v, %v", failed[0], failed[1])
	}
	if n := c.count(`select count(*) from fetchq.users where role = 'admin' and disabled_at is null`); n != 1 {
		t.Errorf("%d admins are left", n)
	}
}

// holdCommits keeps every change of users from being committed, until so many callers wait for that or for one another.
func (c *crew) holdCommits() (release func(callers int)) {
	c.t.Helper()
	c.exec(`create function fetchq.hold() returns trigger language plpgsql as $$ begin perform pg_advisory_xact_lock_shared(1); return null; end $$`)
	c.exec(`create constraint trigger hold after insert or update on fetchq.users deferrable initially deferred
		for each row execute function fetchq.hold()`)
	tx, err := c.db.Begin(context.Background())
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := tx.Exec(c.t.Context(), `select pg_advisory_xact_lock(1)`); err != nil {
		c.t.Fatal(err)
	}
	return func(callers int) {
		c.t.Helper()
		defer tx.Rollback(context.Background()) //nolint:errcheck // it locks, and writes nothing
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			waiting := c.count(`select count(distinct pid) from pg_locks where not granted
				and pid in (select pid from pg_stat_activity where datname = current_database())`)
			if waiting == callers {
				return
			}
			if time.Now().After(deadline) {
				c.t.Fatalf("%d callers wait; %d are wanted", waiting, callers)
			}
		}
	}
}

func TestDisablingEndsSessionsAndLinks(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	c.add("ann@example.org", RoleAdmin)
	bob := c.add("bob@example.org", RoleViewer)
	link := c.link(bob)
	c.exec(`insert into fetchq.sessions (hash, id, user_id, expires_at, address, agent)
		values ('x', gen_random_uuid(), $1, clock_timestamp() + interval '1 day', '', '')`, bob.ID)
	for range 2 { // the second changes nothing
		if got, err := c.Disable(t.Context(), bob.ID); err != nil || got.DisabledAt == nil || got.May(See) {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if n := c.count(`select (select count(*) from fetchq.sessions) + (select count(*) from fetchq.links)`); n != 0 {
		t.Errorf("%d sessions and links are left", n)
	}
	if _, err := c.UseLink(t.Context(), link, goodPassword); errs.Of(err) != errs.NotFound {
		t.Errorf("the link: %v", err)
	}
	if _, err := c.Link(t.Context(), bob.ID); errs.Of(err) != errs.NotFound {
		t.Errorf("a new link: %v", err)
	}
	if _, err := c.SignIn(t.Context(), bob.Email, goodPassword, "192.0.2.1"); errs.Of(err) != errs.Unauthenticated {
		t.Errorf("the password: %v", err)
	}
	// One that slipped in while the user was being disabled does not live on.
	c.exec(`insert into fetchq.sessions (hash, id, user_id, expires_at, address, agent)
		values ('y', gen_random_uuid(), $1, clock_timestamp() + interval '1 day', '', '')`, bob.ID)
	if _, err := c.Enable(t.Context(), bob.ID); err != nil {
		t.Error(err)
	}
	if n := c.count(`select count(*) from fetchq.sessions`); n != 0 {
		t.Errorf("%d sessions live again", n)
	}
	if _, err := c.SignIn(t.Context(), bob.Email, goodPassword, "192.0.2.1"); err != nil {
		t.Errorf("enabled again: %v", err)
	}
}

func TestAHigherRoleEndsSessionsAndLinksAndALowerOneDoesNot(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	ann, bob := c.add("ann@example.org", RoleAdmin), c.add("bob@example.org", RoleOperator)
	for _, id := range []uuid.UUID{ann.ID, bob.ID} {
		c.exec(`insert into fetchq.sessions (hash, id, user_id, expires_at, address, agent)
			values ($1::uuid::text::bytea, $1, $1, clock_timestamp() + interval '1 day', '', '')`, id)
	}
	for _, step := range []struct {
		role Role
		left int
	}{{RoleViewer, 2}, {RoleViewer, 2}, {RoleOperator, 1}} {
		link, err := c.Link(t.Context(), bob.ID)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.SetRole(t.Context(), bob.ID, step.role); err != nil {
			t.Fatal(err)
		}
		if n := c.count(`select count(*) from fetchq.sessions`); n != step.left {
			t.Errorf("as %s: %d sessions are left", step.role, n)
		}
		if _, err := c.LinkUser(t.Context(), link); (err == nil) != (step.left == 2) {
			t.Errorf("as %s: the link says %v", step.role, err)
		}
	}
}

func TestStarsAreOnesOwnAndBounded(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	ann, bob := c.add("ann@example.org", RoleAdmin), c.add("bob@example.org", RoleViewer)
	for _, on := range []bool{true, true} {
		if err := c.Star(t.Context(), ann.ID, "pages", on); err != nil {
			t.Fatal(err)
		}
	}
	if stars, err := c.Stars(t.Context(), ann.ID); err != nil || len(stars) != 1 || !stars["pages"] {
		t.Errorf("%v, %v", stars, err)
	}
	if stars, err := c.Stars(t.Context(), bob.ID); err != nil || len(stars) != 0 {
		t.Errorf("another one has %v, %v", stars, err)
	}
	if err := c.Star(t.Context(), ann.ID, "pages", false); err != nil {
		t.Error(err)
	}
	c.exec(`insert into fetchq.stars (user_id, queue) select $1, 'q' || n from generate_series(1, 200) n`, ann.ID)
	if err := c.Star(t.Context(), ann.ID, "more", true); err != nil {
		t.Error(err)
	}
	if stars, err := c.Stars(t.Context(), ann.ID); err != nil || len(stars) != 200 || stars["more"] || stars["pages"] {
		t.Errorf("%d stars, %v", len(stars), err)
	}
}

package auth

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/fetchq/server/internal/errs"
)

func TestALinkWorksOnce(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	u, err := c.Create(t.Context(), "ann@example.org", "", RoleViewer)
	if err != nil {
		t.Fatal(err)
	}
	text := c.link(u)
	if n := c.count(`select count(*) from fetchq.links where encode(hash, 'escape') like '%` + text + `%'`); n != 0 {
		t.Error("the link itself is kept")
	}
	if got, err := c.LinkUser(t.Context(), text); err != nil || got.ID != u.ID || got.HasPassword {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := c.UseLink(t.Context(), text, "short"); errs.Of(err) != errs.Invalid || field(err) != "password" {
		t.Errorf("a short password: %v", err)
	}
	got, err := c.UseLink(t.Context(), text, goodPassword)
	if err != nil || !got.HasPassword || got.LastLoginAt == nil {
		t.Fatalf("a refused password must leave the link: %+v, %v", got, err)
	}
	c.hashes.taken()
	for _, over := range []string{text, "", "x", "\x00", secret()} {
		if _, err := c.UseLink(t.Context(), over, goodPassword); errs.Of(err) != errs.NotFound {
			t.Errorf("%q: %v", over, err)
		}
	}
	if made := c.hashes.taken(); len(made) != 0 {
		t.Errorf("a link that is over makes the hashes %q", made)
	}
}

func TestALinkUsedTwiceAtOnceWorksOnce(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	u, err := c.Create(t.Context(), "ann@example.org", "", RoleViewer)
	if err != nil {
		t.Fatal(err)
	}
	text := c.link(u)
	var all sync.WaitGroup
	var good, over atomic.Int32
	for range 8 {
		all.Go(func() {
			switch _, err := c.UseLink(context.Background(), text, goodPassword); errs.Of(err) {
			case "":
				good.Add(1)
			case errs.NotFound:
				over.Add(1)
			default:
				t.Errorf("using it: %v", err)
			}
		})
	}
	all.Wait()
	if good.Load() != 1 || over.Load() != 7 {
		t.Errorf("it worked %d times, and was over %d times", good.Load(), over.Load())
	}
}

func TestALinkEndsAndANewOneEndsTheOld(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	ann, bob := c.add("ann@example.org", RoleAdmin), c.add("bob@example.org", RoleViewer)
	first, of := c.link(ann), c.link(bob)
	second := c.link(ann)
	if err := c.LinkIsOver(first); err != nil {
		t.Error(err)
	}
	for _, text := range []string{second, of} {
		if _, err := c.LinkUser(t.Context(), text); err != nil {
			t.Error(err)
		}
	}
	c.exec(`update fetchq.links set expires_at = clock_timestamp() where user_id = $1`, ann.ID)
	if _, err := c.UseLink(t.Context(), second, goodPassword); errs.Of(err) != errs.NotFound {
		t.Errorf("after its end: %v", err)
	}
	if n := c.count(`select count(*) from fetchq.links where expires_at between clock_timestamp() + interval '23 h' and clock_timestamp() + interval '24 h'`); n != 1 {
		t.Errorf("%d links last a day", n)
	}
	if _, err := c.Link(t.Context(), uuid.New()); errs.Of(err) != errs.NotFound {
		t.Errorf("a link for nobody: %v", err)
	}
}

func TestOfLinksMadeAtTheSameMomentOneIsGood(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	u, other := c.add("ann@example.org", RoleViewer), c.add("bob@example.org", RoleViewer)
	c.link(other)
	for range 10 {
		var all sync.WaitGroup
		texts := make([]string, 8)
		for i := range texts {
			all.Go(func() {
				var err error
				if texts[i], err = c.Link(context.WithoutCancel(t.Context()), u.ID); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		good := 0
		for _, text := range texts {
			if _, err := c.LinkUser(t.Context(), text); err == nil {
				good++
			}
		}
		if good != 1 {
			t.Fatalf("%d of %d links are good", good, len(texts))
		}
	}
	if n := c.count(`select count(*) from fetchq.links`); n != 2 {
		t.Errorf("%d links are kept; one of each user is wanted", n)
	}
}

func TestALinkEndsTheSessionsOfWhoForgotThePassword(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	ann := c.add("ann@example.org", RoleAdmin)
	bob := c.add("bob@example.org", RoleAdmin)
	for i, u := range []User{ann, bob} {
		c.exec(`insert into fetchq.sessions (hash, id, user_id, expires_at, address, agent)
			values ($1, gen_random_uuid(), $2, clock_timestamp() + interval '1 day', '', '')`, []byte{byte(i)}, u.ID)
	}
	text := c.link(ann)
	if n := c.count(`select count(*) from fetchq.sessions`); n != 2 {
		t.Errorf("making the link leaves %d sessions", n)
	}
	if _, err := c.UseLink(t.Context(), text, "another good password"); err != nil {
		t.Fatal(err)
	}
	if n := c.count(`select count(*) from fetchq.sessions`); n != 1 {
		t.Errorf("using it leaves %d sessions", n)
	}
	if _, err := c.SignIn(t.Context(), ann.Email, goodPassword, ""); errs.Of(err) != errs.Unauthenticated {
		t.Errorf("the old password: %v", err)
	}
}

func TestOneFirstAdminIsMadeHoweverManyTry(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	one, err := c.SetupLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	two, err := c.SetupLink(t.Context())
	if err != nil || one == two {
		t.Fatal(err)
	}
	if err := c.CheckSetup(t.Context(), one); err != nil {
		t.Errorf("a second link ends the first, which another node may have printed: %v", err)
	}
	if err := c.LinkIsOver(one); err != nil {
		t.Errorf("a setup link is taken for one of a user: %v", err)
	}
	release := c.holdCommits()
	var all sync.WaitGroup
	var made atomic.Int32
	count := func(err error) {
		if err == nil {
			made.Add(1)
		} else if errs.Of(err) != errs.NotFound {
			t.Errorf("setting up: %v", err)
		}
	}
	for _, email := range []string{"ann@example.org", "bob@example.org"} {
		for _, text := range []string{one, two} {
			all.Go(func() {
				_, err := c.Setup(context.Background(), text, email, "", goodPassword)
				count(err)
			})
		}
	}
	release(4)
	all.Wait()
	if made.Load() != 1 || c.count(`select count(*) from fetchq.users where role = 'admin'`) != 1 || c.count(`select count(*) from fetchq.links`) != 0 {
		t.Errorf("%d first admins were made", made.Load())
	}
	if text, err := c.SetupLink(t.Context()); text != "" || err != nil {
		t.Errorf("a setup link where there are users: %q, %v", text, err)
	}
}

func TestASetupLinkEnds(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	text, err := c.SetupLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.exec(`update fetchq.links set expires_at = clock_timestamp()`)
	if _, err := c.Setup(t.Context(), text, "ann@example.org", "", goodPassword); errs.Of(err) != errs.NotFound {
		t.Error(err)
	}
}

func TestBootstrapMakesTheFirstAdminAndChangesNothingLater(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	if err := c.Bootstrap(t.Context(), "ann@example.org", "short"); field(err) != "password" {
		t.Errorf("a short password: %v", err)
	}
	for _, password := range []string{goodPassword, "another good password"} {
		if err := c.Bootstrap(t.Context(), "ann@example.org", password); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Bootstrap(t.Context(), "eve@example.org", goodPassword); err != nil {
		t.Fatal(err)
	}
	if u, err := c.SignIn(t.Context(), "ann@example.org", goodPassword, ""); err != nil || u.Role != RoleAdmin {
		t.Errorf("%+v, %v", u, err)
	}
	if n := c.count(`select count(*) from fetchq.users`); n != 1 {
		t.Errorf("there are %d users", n)
	}
}

package auth

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/sessions"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/audit"
	"github.com/fetchq/server/internal/database"
)

// How long a session lasts: to the end whatever happens, and while nobody uses it.
const (
	sessionLasts = 30 * 24 * time.Hour
	guestLasts   = 12 * time.Hour // of whom somebody else identifies: so old may the groups be that a role comes from
	sessionIdle  = 7 * 24 * time.Hour
	seenEvery    = time.Minute // how often it is written down that a session was used
	maxAgent     = 300         // characters of the browser's name that are kept
)

// userKey is where a session's Values hold its User. Other values are texts, and lists of texts under the keys of flashes.
type userKey struct{}

// Door is how somebody came in.
type Door string

// The doors.
const (
	OwnDoor      Door = "own"      // what Fetchq itself checks: a password, a link
	ProviderDoor Door = "provider" // an OpenID provider
	ProxyDoor    Door = "proxy"    // the header of the proxy before the program, which says on every request who it is
)

// lasts is how long a session lasts at most.
func (d Door) lasts() time.Duration {
	if d == OwnDoor {
		return sessionLasts
	}
	return guestLasts
}

// doorKey is where a session's Values hold its Door.
type doorKey struct{}

// Sessions keeps the sessions of the pages in the database, as a sessions.Store: the cookie holds a random number, and the
// database its hash, so that nodes share no key and a session can be listed and revoked.
type Sessions struct {
	db     *pgxpool.Pool
	secure bool
}

// NewSessions returns the store in a migrated database. secure marks the cookie for TLS only; a request that came by TLS
// marks it too.
func NewSessions(db *pgxpool.Pool, secure bool) *Sessions { return &Sessions{db: db, secure: secure} }

// SessionName is the name of the session among those of a request.
const SessionName = "fetchq_session"

func (s *Sessions) cookieName(r *http.Request) string {
	if s.secure || r.TLS != nil {
		return "__Host-" + SessionName // only this host, only the root, only TLS (RFC 6265bis, 4.1.3.2)
	}
	return SessionName
}

// Get returns the session of a request; it is new where there is no good one.
func (s *Sessions) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(s, name)
}

// New reads the session of a request from the database, with its user as of now.
func (s *Sessions) New(r *http.Request, name string) (*sessions.Session, error) {
	session := sessions.NewSession(s, name)
	session.Options = &sessions.Options{Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: s.secure || r.TLS != nil}
	session.IsNew = true
	cookie, err := r.Cookie(s.cookieName(r))
	if err != nil || len(cookie.Value) != len(secret()) {
		return session, nil //nolint:nilerr // no cookie: a new session
	}
	var user User
	var id uuid.UUID
	var door Door
	var values map[string]any
	var seen bool
	err = s.db.QueryRow(r.Context(), `
		select u.id, u.email, u.name, u.role, u.password is not null, u.created_at, u.disabled_at, u.last_login_at,
			exists (select from fetchq.second_factors f where f.user_id = u.id and f.confirmed_at is not null),
			coalesce((select i.issuer || ' ' || i.subject from fetchq.identities i where i.user_id = u.id), ''), u.queues, s.id, s.door, s.values, s.seen_at > clock_timestamp() - $3::interval
		from fetchq.sessions s join fetchq.users u on u.id = s.user_id
		where s.hash = $1 and s.expires_at > clock_timestamp() and s.seen_at > clock_timestamp() - $2::interval and u.disabled_at is null`,
		hash(cookie.Value), sessionIdle, seenEvery).Scan(&user.ID, &user.Email, &user.Name, &user.Role, &user.HasPassword, &user.CreatedAt,
		&user.DisabledAt, &user.LastLoginAt, &user.SecondFactor, &user.Identity, &user.Queues, &id, &door, &values, &seen)
	if errors.Is(err, pgx.ErrNoRows) {
		return session, nil
	}
	if err != nil {
		return session, database.Error("read a session", err)
	}
	if !seen {
		if _, err := s.db.Exec(r.Context(), `update fetchq.sessions set seen_at = clock_timestamp() where id = $1`, id); err != nil {
			return session, database.Error("note that a session is used", err)
		}
	}
	session.ID, session.IsNew = id.String(), false
	session.Values[userKey{}], session.Values[doorKey{}] = user, door
	for key, value := range values {
		session.Values[key] = value
	}
	return session, nil
}

// UserOf returns the user of a session, and whether somebody is signed in.
func UserOf(session *sessions.Session) (User, bool) {
	u, ok := session.Values[userKey{}].(User)
	return u, ok
}

// DoorOf returns by which door a session was begun.
func DoorOf(session *sessions.Session) Door {
	door, _ := session.Values[doorKey{}].(Door)
	return door
}

// SignIn begins a new session for a user who has shown a password or a link; see Begin.
func (s *Sessions) SignIn(w http.ResponseWriter, r *http.Request, user User, address string) error {
	return s.Begin(w, r, user, OwnDoor, address)
}

// Begin begins a new session for a user who came in by a door, in place of any that the request had, and sets its cookie. address
// says where from.
func (s *Sessions) Begin(w http.ResponseWriter, r *http.Request, user User, door Door, address string) error {
	if err := s.end(r); err != nil {
		return err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	agent := []rune(r.UserAgent())
	text := secret()
	err = pgx.BeginFunc(r.Context(), s.db, func(tx pgx.Tx) error {
		_, err := tx.Exec(r.Context(), `
		with old as (delete from fetchq.sessions where expires_at <= clock_timestamp() or seen_at <= clock_timestamp() - $6::interval)
		insert into fetchq.sessions (hash, id, user_id, expires_at, address, agent, door)
		values ($1, $2, $3, clock_timestamp() + $4::interval, $5, $7, $8)`,
			hash(text), id, user.ID, door.lasts(), address, sessionIdle, string(agent[:min(len(agent), maxAgent)]), door)
		if err != nil {
			return err
		}
		who := audit.Actor{Kind: audit.User, Name: user.Email}
		audit.From(r.Context()).By(who)
		line := audit.Entry{Action: audit.SignIn, Actor: who, Target: user.Email, Address: address}
		if door != OwnDoor {
			line.Details = map[string]any{"by": door}
		}
		return audit.Write(r.Context(), tx, line)
	})
	if err != nil {
		return database.Error("begin a session", err)
	}
	s.set(w, r, text, int(door.lasts().Seconds()))
	return nil
}

func (s *Sessions) set(w http.ResponseWriter, r *http.Request, text string, age int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure where there is TLS
		Name: s.cookieName(r), Value: text, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: s.secure || r.TLS != nil,
	})
}

// SignOut ends the session of a request and takes its cookie back.
func (s *Sessions) SignOut(w http.ResponseWriter, r *http.Request) error {
	s.set(w, r, "", -1)
	return s.end(r)
}

func (s *Sessions) end(r *http.Request) error {
	cookie, err := r.Cookie(s.cookieName(r))
	if err != nil {
		return nil //nolint:nilerr // there is none
	}
	_, err = s.db.Exec(r.Context(), `delete from fetchq.sessions where hash = $1`, hash(cookie.Value))
	return database.Error("end a session", err)
}

// Rotate gives the session of a request another number, and its cookie: whoever knew the old one knows nothing any more.
func (s *Sessions) Rotate(w http.ResponseWriter, r *http.Request, session *sessions.Session) error {
	text := secret()
	done, err := s.db.Exec(r.Context(), `update fetchq.sessions set hash = $2 where id = $1`, session.ID, hash(text))
	if err != nil || done.RowsAffected() == 0 {
		return database.Error("rotate a session", err) // one that has ended stays so
	}
	s.set(w, r, text, int(sessionLasts.Seconds()))
	return nil
}

// Save writes the values of a session that somebody has signed in to. A new one is begun by SignIn alone.
func (s *Sessions) Save(r *http.Request, _ http.ResponseWriter, session *sessions.Session) error {
	if session.IsNew {
		return nil
	}
	values := map[string]any{}
	for key, value := range session.Values {
		if name, ok := key.(string); ok {
			values[name] = value
		}
	}
	text, err := json.Marshal(values)
	if err != nil {
		return err
	}
	_, err = s.db.Exec(r.Context(), `update fetchq.sessions set values = $2 where id = $1`, session.ID, text)
	return database.Error("write a session", err)
}

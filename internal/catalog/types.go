package catalog

import (
	"encoding/json"
	"regexp"
	"time"

	"github.com/google/uuid"

	"github.com/fetchq/server/internal/backup"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/operations"
)

// Destination is a place that backups go to.
type Destination struct {
	Name       string
	URL        string   // has no secret in it
	Recipients []string // age's public keys; none: backups are not encrypted
	Identity   string   // the variable of the environment that has the private key; "": none is known here
	AccessKey  string   // of S3; "": credentials as the machine has them
	Secret     string   // of that key: env:NAME, file:NAME, or Sealed; "": there is none
	SecretAt   *time.Time
	Typed      Typed // for PutDestination alone
	Keep       backup.Keep
	CreatedAt  time.Time
	CreatedBy  string
	TestedAt   *time.Time
	TestError  *string // of the last test
	PrunedAt   *time.Time
	PruneError *string // of the last time that what need not be kept was to be removed
	sealed     []byte
}

// Sealed is what is told of a secret that stands in the database.
const Sealed = "sealed"

// Typed is the secret of a key as somebody typed it just now: a reference, or the secret itself, which is told nobody any more. Empty: what is known stays.
type Typed struct {
	Secret string
	Token  string // of a session; "": none
}

// Keeps says whether backups are removed after a good run.
func (d Destination) Keeps() bool { return d.Keep != backup.Keep{} }

// Schedule says when a backup is made by itself.
type Schedule struct {
	Name        string
	Destination string
	Queues      []string // nil: all that there are then
	Cron        string   // five fields, or @daily and the like
	Zone        string   // as in Europe/Berlin
	Verify      bool     // each backup is read back behind its run
	MaxRate     int64    // bytes of text a second; 0: as fast as it goes
	Paused      bool
	CreatedBy   string
	ChangedAt   time.Time
	NextRun     time.Time
	LastDue     *time.Time // of the last run that was asked for
	Operation   *uuid.UUID // that run
	GoodDue     *time.Time // of the last run that made a backup
	GoodAt      *time.Time
	FailedAt    *time.Time // nil: the last run that ended was good
	Error       *string
	UnderWay    bool // the last run that was asked for
}

// Covers says whether a queue is among those of the schedule.
func (s Schedule) Covers(queue string) bool {
	for _, q := range s.Queues {
		if q == queue {
			return true
		}
	}
	return s.Queues == nil
}

// Backup is what is known of a backup here, whether or not its destination has it still.
type Backup struct {
	Destination string
	Name        string
	SnapshotAt  time.Time
	FinishedAt  time.Time
	Queues      []string
	Rows        int64
	Bytes       int64 // of text, before it is packed
	Stored      int64
	Objects     []Object
	MadeBy      *string // nil: not from here
	Schedule    *string
	Operation   *uuid.UUID
	VerifiedAt  *time.Time // the last time
	VerifiedBy  *string
	Loaded      *bool   // into a scratch schema too
	Problem     *string // what was found then
	RestoredAt  *time.Time
	RestoredBy  *string
	RestoredAs  []string
	GoneAt      *time.Time // retention removed it
}

// Object is one object of a backup.
type Object struct {
	Name   string `json:"object"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Asks is what an operation is asked for. Which fields count follows from its action.
type Asks struct {
	Destination  string     `json:"destination"`
	Name         string     `json:"name,omitempty"`   // of the backup that is verified or restored
	Queues       []string   `json:"queues,omitempty"` // none: all
	MaxRate      int64      `json:"max_rate,omitempty"`
	Schedule     string     `json:"schedule,omitempty"`
	Due          *time.Time `json:"due,omitempty"`    // by the schedule
	Verify       bool       `json:"verify,omitempty"` // the backup, when it is made
	Load         bool       `json:"load,omitempty"`   // verify: into a scratch schema too
	As           string     `json:"as,omitempty"`
	Replace      []string   `json:"replace,omitempty"`
	SettingsOnly bool       `json:"settings_only,omitempty"`
}

// Told is how far an operation is, and what came of it.
type Told struct {
	Name     string     `json:"name,omitempty"` // of the backup that is made
	Phase    string     `json:"phase,omitempty"`
	Rows     int64      `json:"rows,omitempty"`
	Total    int64      `json:"total,omitempty"` // rows; what the counters say while it is not known
	Bytes    int64      `json:"bytes,omitempty"` // of text, before it is packed
	Stored   int64      `json:"stored,omitempty"`
	Millis   int64      `json:"ms,omitempty"` // that it took, or has taken so far
	Objects  []Object   `json:"objects,omitempty"`
	Restored []Restored `json:"restored,omitempty"`
}

// Restored is a queue that came back.
type Restored struct {
	Queue     string `json:"queue"`
	As        string `json:"as"`
	Documents int64  `json:"documents"`
}

// Is says whether an operation is one of this package.
func Is(o operations.Operation) bool { return o.Queue == "" }

// AsksOf returns what an operation is asked for.
func AsksOf(o operations.Operation) (a Asks) {
	_ = json.Unmarshal(o.Asks, &a) // this package wrote it
	return a
}

// ToldOf returns how far an operation is.
func ToldOf(o operations.Operation) (t Told) {
	_ = json.Unmarshal(o.Told, &t) // this package wrote it; null before the first word
	return t
}

// Left is how long it takes still at the pace so far; false where that is not known.
func (t Told) Left() (time.Duration, bool) {
	if t.Rows <= 0 || t.Total <= t.Rows {
		return 0, false
	}
	return time.Duration(float64(t.Millis) * float64(t.Total-t.Rows) / float64(t.Rows) * float64(time.Millisecond)), true
}

var goodName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,39}$`)

// checkName refuses what is no name of a destination or a schedule.
func checkName(name string) error {
	if !goodName.MatchString(name) {
		return errs.Field("name", "a name is 1 to 40 of a-z, 0-9, - and _, and begins with a letter")
	}
	return nil
}

var goodQueue = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

package client

// The values of the setting journal: which transitions of documents a queue writes down.
const (
	JournalOff    = "off"
	JournalErrors = "errors" // those that failed, and what an admin did; the default
	JournalAll    = "all"    // every one
)

// Transition is a line of a queue's journal: what became of a document, or, without a subject, of all documents of the queue.
type Transition struct {
	ID            int64    `json:"id" doc:"The lines of one document stand in the order of their numbers."`
	At            Time     `json:"at"`
	Queue         string   `json:"queue,omitempty" doc:"Set in a trace."`
	Subject       *string  `json:"subject" doc:"null: all documents of the queue."`
	Action        string   `json:"action" enum:"push,update,requeue,mark_due,pick,extend,complete,reschedule,reject,kill,drop,forward,orphan,run_now,retry,release,edit,expire,truncate,attach,rename"`
	Admin         bool     `json:"admin" doc:"An admin did it, whoever held the document."`
	From          *string  `json:"from" enum:"planned,pending,active,completed,killed" doc:"The status before; null: there was no document."`
	To            *string  `json:"to" enum:"planned,pending,active,completed,killed" doc:"The status after; null: there is no document any more."`
	Attempt       *int     `json:"attempt" doc:"The one that began with a pick; else the one that the transition belongs to."`
	Lease         *int64   `json:"lease" doc:"The document's lease number after the transition."`
	NextIteration *Time    `json:"next_iteration" doc:"The date after it; of an active document the end of its lease."`
	WaitMS        *float64 `json:"wait_ms" doc:"Of a pick: milliseconds since the document was due."`
	WorkMS        *float64 `json:"work_ms" doc:"Of what ended a lease: milliseconds since the pick."`
	Worker        *string  `json:"worker" doc:"Who holds the document, or held it until then."`
	By            *string  `json:"by" example:"token:crawler" doc:"Who called: token:name, user:address, or role:name of who called by SQL; null: Fetchq itself."`
}

// Move is how far a queue is on its way to the tablespace that its settings name.
type Move struct {
	BeganAt   Time    `json:"began_at"`
	Relations int64   `json:"relations" doc:"Tables and indexes that are not there yet."`
	Bytes     int64   `json:"bytes" doc:"Of those."`
	Halt      *string `json:"halt" doc:"What stood in its way last; null: nothing."`
}

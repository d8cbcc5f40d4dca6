package audit

// Action is what was done or refused. The words are for machines too: none changes its meaning.
type Action string

// The actions.
const (
	SignIn          Action = "session.sign_in"
	SignOut         Action = "session.sign_out"
	SessionRevoke   Action = "session.revoke"
	PasswordChange  Action = "password.change"
	PasswordLink    Action = "password.link"
	Account         Action = "account.change" // what secures somebody's own sign-in
	UserCreate      Action = "user.create"
	UserRole        Action = "user.role"
	UserQueues      Action = "user.queues"
	UserDisable     Action = "user.disable"
	UserEnable      Action = "user.enable"
	TokenCreate     Action = "token.create"
	TokenRotate     Action = "token.rotate"
	TokenRevoke     Action = "token.revoke"
	TokenUse        Action = "token.use" // refused ones
	QueueCreate     Action = "queue.create"
	QueueSettings   Action = "queue.settings"
	QueuePause      Action = "queue.pause"
	QueueResume     Action = "queue.resume"
	QueueTruncate   Action = "queue.truncate"
	QueueDrop       Action = "queue.drop"
	QueueRename     Action = "queue.rename"
	QueueClone      Action = "queue.clone"
	QueueMove       Action = "queue.move"
	DocumentsAct    Action = "documents.act"
	DocumentsAdd    Action = "documents.add"
	DocumentsExport Action = "documents.export"
	OperationAsk    Action = "operation.ask"
	OperationCancel Action = "operation.cancel"
	OperationUndo   Action = "operation.undo"
	OperationEnd    Action = "operation.end"
	WorkerQuiet     Action = "worker.quiet"
	WorkerWake      Action = "worker.wake"
	WorkerRelease   Action = "worker.release"
	BackupRun       Action = "backup.run"
	BackupVerify    Action = "backup.verify"
	BackupPrune     Action = "backup.prune"
	BackupRestore   Action = "backup.restore"
	BackupPlace     Action = "backup.destination"
	BackupSchedule  Action = "backup.schedule"
	MarkAdd         Action = "mark.add"
	AuditExport     Action = "audit.export"
	AuditKeep       Action = "audit.keep"
	DatabaseOpen    Action = "database.open" // its address, or a shell on it, was given out
	Request         Action = "request"       // refused: of no action here
)

// words says what each action is, in the order in which a form offers them.
var words = []struct {
	action Action
	word   string
}{
	{SignIn, "Sign-in"}, {SignOut, "Sign-out"}, {SessionRevoke, "Ended a session"}, {PasswordChange, "Changed a password"},
	{PasswordLink, "Made a one-time link"}, {Account, "Changed how to sign in"}, {UserCreate, "Added a person"}, {UserRole, "Changed a role"},
	{UserQueues, "Changed somebody's queues"}, {UserDisable, "Disabled a person"}, {UserEnable, "Enabled a person"},
	{TokenCreate, "Made a token"}, {TokenRotate, "Rotated a token"}, {TokenRevoke, "Revoked a token"}, {TokenUse, "Used a token"},
	{QueueCreate, "Made a queue"}, {QueueSettings, "Changed settings"}, {QueuePause, "Paused"}, {QueueResume, "Resumed"},
	{QueueTruncate, "Emptied a queue"}, {QueueDrop, "Dropped a queue"}, {QueueRename, "Renamed a queue"}, {QueueClone, "Cloned a queue"},
	{QueueMove, "Moved a queue's tables"}, {DocumentsAct, "Acted on documents"}, {DocumentsAdd, "Added documents"},
	{DocumentsExport, "Exported documents"}, {OperationAsk, "Asked for an operation"}, {OperationCancel, "Canceled an operation"},
	{OperationUndo, "Undid an operation"}, {OperationEnd, "An operation ended"}, {WorkerQuiet, "Asked workers to go quiet"}, {WorkerWake, "Woke workers"},
	{WorkerRelease, "Released leases"}, {BackupRun, "Backup"}, {BackupVerify, "Verified a backup"}, {BackupPrune, "Removed backups"},
	{BackupRestore, "Restore"}, {BackupPlace, "Changed a destination"}, {BackupSchedule, "Changed a schedule"}, {MarkAdd, "Added a mark"},
	{AuditExport, "Exported the audit log"}, {AuditKeep, "Changed how long lines are kept"}, {DatabaseOpen, "Opened the database"},
	{Request, "Asked for a page or call"},
}

// Actions are all actions, those that belong together side by side.
func Actions() []Action {
	all := make([]Action, len(words))
	for i, w := range words {
		all[i] = w.action
	}
	return all
}

// Words says in words what an action is; of one that this program does not know, its name.
func (a Action) Words() string {
	for _, w := range words {
		if w.action == a {
			return w.word
		}
	}
	return string(a)
}

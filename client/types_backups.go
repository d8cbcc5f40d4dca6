package client

// BackupDestinationRequest is the body that makes a destination of backups, or changes it.
type BackupDestinationRequest struct {
	URL        string   `json:"url" minLength:"1" maxLength:"2000" example:"file:///var/backups/fetchq" doc:"file:///folder, s3://bucket/prefix?region=…, gs://bucket/prefix or azblob://container/prefix. Credentials never stand in it: they are found in the environment, in files (profile=…), or by the role of the machine, where access_key names none."`
	Recipients []string `json:"recipients,omitempty" maxItems:"20" nullable:"false" doc:"Public keys of age: what is written there is encrypted to them. None: it is not encrypted."`
	Identity   string   `json:"identity,omitempty" maxLength:"80" doc:"The variable of the server's environment that has the private key of age, FETCHQ_BACKUP_…; it is needed to verify and restore."`
	// A key of S3 that the destination has of its own.
	AccessKey    string      `json:"access_key,omitempty" maxLength:"128" doc:"The ID of a key of S3. Left out: credentials as the machine has them."`
	Secret       string      `json:"secret,omitempty" maxLength:"300" doc:"Of that key: env:FETCHQ_BACKUP_S3_… names a variable of the server, file:… a file in its folder of secrets; else it is the secret itself, which is kept sealed and never shown. Left out: it stays as it is, for the same access_key and, where it is sealed, the same url."`
	SessionToken string      `json:"session_token,omitempty" maxLength:"4000" doc:"Of a session, beside a secret that is itself sent. Where env: or file: name that, the token is on their second line."`
	Keep         *BackupKeep `json:"keep,omitempty" doc:"What stays there after a good run. Left out: everything."`
}

// BackupKeep says which backups stay: the newest ones, and the newest of so many days, weeks and months, in UTC.
type BackupKeep struct {
	Last    int `json:"last" required:"false" minimum:"0" maximum:"10000" example:"7" doc:"So many of the newest."`
	Daily   int `json:"daily" required:"false" minimum:"0" maximum:"10000" doc:"The newest of so many days."`
	Weekly  int `json:"weekly" required:"false" minimum:"0" maximum:"10000" doc:"The newest of so many weeks."`
	Monthly int `json:"monthly" required:"false" minimum:"0" maximum:"10000" doc:"The newest of so many months."`
}

// BackupDestination is a destination as the API shows it.
type BackupDestination struct {
	Name       string      `json:"name"`
	URL        string      `json:"url"`
	Recipients []string    `json:"recipients"`
	Identity   string      `json:"identity,omitempty"`
	AccessKey  string      `json:"access_key,omitempty" doc:"The ID of its own key of S3."`
	SecretKept string      `json:"secret_kept,omitempty" doc:"Where the secret of that key is: env:…, file:…, or sealed in the database."`
	SecretAt   *Time       `json:"secret_at,omitempty" doc:"Since when."`
	Keep       *BackupKeep `json:"keep" doc:"null: everything stays."`
	CreatedAt  Time        `json:"created_at"`
	CreatedBy  string      `json:"created_by"`
	TestedAt   *Time       `json:"tested_at"`
	TestError  *string     `json:"test_error" doc:"What went wrong in the last test; null: nothing."`
	PrunedAt   *Time       `json:"pruned_at" doc:"When what need not be kept was removed last."`
	PruneError *string     `json:"prune_error"`
}

// BackupDestinationsResponse is all destinations.
type BackupDestinationsResponse struct {
	Destinations []BackupDestination `json:"destinations"`
}

// BackupScheduleRequest is the body that makes a schedule of backups, or changes it.
type BackupScheduleRequest struct {
	Destination string   `json:"destination" minLength:"1" maxLength:"40" example:"offsite" doc:"Where to."`
	Queues      []string `json:"queues,omitempty" maxItems:"10000" nullable:"false" doc:"Which queues. None: all that there are then."`
	Cron        string   `json:"cron" minLength:"1" maxLength:"100" example:"30 2 * * *" doc:"Minute, hour, day of the month, month and day of the week; or @hourly, @daily, @weekly or @monthly."`
	Zone        string   `json:"zone,omitempty" maxLength:"64" example:"Europe/Berlin" doc:"The time zone of cron; left out: UTC."`
	Verify      bool     `json:"verify,omitempty" doc:"Read each backup back when it is made."`
	MaxRate     int64    `json:"max_rate,omitempty" minimum:"0" doc:"Bytes a second that are read at most; 0: as fast as it goes."`
	Paused      bool     `json:"paused,omitempty" doc:"No run begins by itself."`
}

// BackupSchedule is a schedule as the API shows it.
type BackupSchedule struct {
	Name        string   `json:"name"`
	Destination string   `json:"destination"`
	Queues      []string `json:"queues" doc:"null: all."`
	Cron        string   `json:"cron"`
	Zone        string   `json:"zone"`
	Verify      bool     `json:"verify"`
	MaxRate     int64    `json:"max_rate"`
	Paused      bool     `json:"paused"`
	CreatedBy   string   `json:"created_by"`
	NextRun     Time     `json:"next_run"`
	Operation   *string  `json:"operation" format:"uuid" doc:"Of the last run that was asked for."`
	GoodAt      *Time    `json:"good_at" doc:"When it made a backup last."`
	Error       *string  `json:"error" doc:"Why the last run failed; null: it was good, or there was none."`
	Overdue     bool     `json:"overdue" doc:"A backup that it should have made is missing for more than an hour."`
}

// BackupSchedulesResponse is all schedules.
type BackupSchedulesResponse struct {
	Schedules []BackupSchedule `json:"schedules"`
}

// BackupRequest is the body that asks for a backup.
type BackupRequest struct {
	Destination string   `json:"destination" minLength:"1" maxLength:"40" example:"offsite" doc:"Where to."`
	Queues      []string `json:"queues,omitempty" maxItems:"10000" nullable:"false" example:"[\"pages\"]" doc:"Which queues. None: all."`
	MaxRate     int64    `json:"max_rate,omitempty" minimum:"0" doc:"Bytes a second that are read at most; 0: as fast as it goes."`
	Verify      bool     `json:"verify,omitempty" doc:"Read it back when it is made."`
}

// VerifyRequest is the body that asks for a backup to be read back.
type VerifyRequest struct {
	Load bool `json:"load" required:"false" example:"true" doc:"Load it into a scratch schema too, and count."`
}

// RestoreRequest is the body that asks for queues of a backup to be put back, or what that would do.
type RestoreRequest struct {
	Queues       []string `json:"queues,omitempty" maxItems:"10000" nullable:"false" example:"[\"pages\"]" doc:"Which queues of it. None: all."`
	As           string   `json:"as,omitempty" maxLength:"40" example:"pages_2" doc:"Another name, where it is one queue."`
	Replace      []string `json:"replace,omitempty" maxItems:"10000" nullable:"false" doc:"Queues that may go though they have documents, by the names that those of the backup will have."`
	SettingsOnly bool     `json:"settings_only,omitempty" doc:"Only the settings: of a queue that is there, or of a new and empty one."`
}

// Backup is a backup as its destination has it, beside what is known of it on this installation.
type Backup struct {
	Name        string        `json:"name"`
	Destination string        `json:"destination"`
	Problem     string        `json:"problem,omitempty" doc:"Why it cannot be restored, as far as its manifest and its sizes tell."`
	SnapshotAt  *Time         `json:"snapshot_at" doc:"null: its manifest cannot be read."`
	FinishedAt  *Time         `json:"finished_at"`
	Program     string        `json:"program" doc:"The version of Fetchq that wrote it."`
	Postgres    string        `json:"postgres"`
	Encrypted   bool          `json:"encrypted"`
	Rows        int64         `json:"rows"`
	Stored      int64         `json:"stored" doc:"Bytes of its objects."`
	Queues      []BackupQueue `json:"queues"`
	MadeBy      *string       `json:"made_by" doc:"null: not from here."`
	VerifiedAt  *Time         `json:"verified_at" doc:"When it was read back last."`
	VerifyError *string       `json:"verify_error" doc:"What was wrong with it then."`
	RestoredAt  *Time         `json:"restored_at"`
}

// BackupQueue is one queue of a backup.
type BackupQueue struct {
	Name      string `json:"name"`
	Documents int64  `json:"documents"`
	Rows      int64  `json:"rows"`
	Bytes     int64  `json:"bytes" doc:"Before they are packed."`
}

// BackupsResponse is a page of the backups of a destination, the newest first.
type BackupsResponse struct {
	Backups    []Backup `json:"backups"`
	NextCursor *string  `json:"next_cursor"`
}

// RestorePreview is what a restore would do.
type RestorePreview struct {
	Queues []RestorePreviewQueue `json:"queues"`
}

// RestorePreviewQueue is what a restore would do to one queue.
type RestorePreviewQueue struct {
	Queue     string `json:"queue"`
	As        string `json:"as"`
	Documents int64  `json:"documents" doc:"Of the backup."`
	Exists    bool   `json:"exists"`
	Now       int64  `json:"now" doc:"Documents of the queue of that name."`
	Refused   string `json:"refused,omitempty" doc:"Why it would not be done."`
}

// BackupProgress is what an operation on backups is asked for, how far it is, and what came of it.
type BackupProgress struct {
	Destination string           `json:"destination"`
	Name        string           `json:"name,omitempty" doc:"Of the backup."`
	Queues      []string         `json:"queues" doc:"null: all."`
	Schedule    string           `json:"schedule,omitempty"`
	Phase       string           `json:"phase,omitempty" doc:"What it is at: read, write, load, index or swap."`
	Rows        int64            `json:"rows"`
	RowsTotal   int64            `json:"rows_total" doc:"What the counters say, while it is not known."`
	Bytes       int64            `json:"bytes" doc:"Of text, before it is packed."`
	Stored      int64            `json:"stored" doc:"Bytes that went to the destination, or came from it."`
	MillisLeft  *int64           `json:"ms_left" doc:"At the pace so far; null: not known."`
	Millis      int64            `json:"ms" doc:"That it took."`
	Objects     []BackupObject   `json:"objects,omitempty"`
	Restored    []BackupRestored `json:"restored,omitempty"`
}

// BackupObject is one object of a backup.
type BackupObject struct {
	Object string `json:"object"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// BackupRestored is a queue that came back.
type BackupRestored struct {
	Queue     string `json:"queue"`
	As        string `json:"as"`
	Documents int64  `json:"documents"`
}

package auth

import "slices"

// Role is what a person is on the pages.
type Role string

// The roles, from the least to the most.
const (
	RoleViewer   Role = "viewer"   // reads
	RoleOperator Role = "operator" // acts on documents and queues
	RoleAdmin    Role = "admin"    // settings, removal, people and tokens
)

// Roles are all roles, from the least to the most.
var Roles = []Role{RoleViewer, RoleOperator, RoleAdmin}

// Permission is something that a person, by a role, or a token, by a right, may do. Routes and pages name one.
type Permission string

// The permissions.
const (
	See    Permission = "see"    // queues, documents, logs, counts
	Add    Permission = "add"    // push documents
	Hold   Permission = "hold"   // pick, extend and resolve under a lease, write notes: workers only
	Note   Permission = "note"   // send metrics: workers only
	Act    Permission = "act"    // change documents whoever holds them
	Halt   Permission = "halt"   // pause and resume queues
	Share  Permission = "share"  // keep charts on dashboards that all see: people only
	Reveal Permission = "reveal" // the parts of payloads that queues hide
	Manage Permission = "manage" // create, change, empty and drop queues
	Backup Permission = "backup" // write backups and put them back
	Govern Permission = "govern" // people, their sessions, and tokens: people only
)

// Permissions are all permissions, from the least to the most.
var Permissions = []Permission{See, Add, Hold, Note, Act, Halt, Share, Reveal, Manage, Backup, Govern}

// rule is a line of the table of permissions.
type rule struct {
	roles []Role // who may on the pages
	right string // which right of a token allows it; "": none does
	words string // what it is, for a person
}

// rules is the one table of who may do what. Admin among the rights of a token allows whatever a right allows.
var rules = map[Permission]rule{
	See:    {[]Role{RoleViewer, RoleOperator, RoleAdmin}, Read, "see queues, documents, log lines and counts"},
	Add:    {[]Role{RoleOperator, RoleAdmin}, Push, "add documents"},
	Hold:   {nil, Work, "pick documents, extend and resolve leases, write notes"},
	Note:   {nil, Metrics, "send metrics"},
	Act:    {[]Role{RoleOperator, RoleAdmin}, Admin, "change documents, whoever holds them"},
	Halt:   {[]Role{RoleOperator, RoleAdmin}, Admin, "pause and resume queues, ask workers to go quiet"},
	Share:  {[]Role{RoleOperator, RoleAdmin}, "", "keep charts on dashboards, arrange and delete them"},
	Reveal: {[]Role{RoleAdmin}, Read, "see the parts of payloads and details that a queue hides"},
	Manage: {[]Role{RoleAdmin}, Admin, "create, change, empty and drop queues"},
	Backup: {[]Role{RoleAdmin}, Admin, "write backups, verify and restore them, and say where they go and when"},
	Govern: {[]Role{RoleAdmin}, "", "add and remove people, end their sessions, make and revoke tokens, read the audit log"},
}

// May says whether a person of this role may do something.
func (r Role) May(p Permission) bool { return slices.Contains(rules[p].roles, r) }

// Words says in words what the permission allows.
func (p Permission) Words() string { return rules[p].words }

// OnPages says whether some role has the permission; what only workers do has no place on the pages.
func (p Permission) OnPages() bool { return len(rules[p].roles) > 0 }

// RightFor returns the right that a token needs to do something; "" where no token may.
func RightFor(p Permission) string { return rules[p].right }

// May says whether the token may do something, in the queues that it sees.
func (t Token) May(p Permission) bool {
	right := RightFor(p)
	return right != "" && t.Can(right)
}

package ledger

import "time"

// What a command means to do beside orders is a row of its own, so that a killed run's intent is
// read from what it wrote and not from what it said.

// TaskKind says what a Task is for.
type TaskKind string

// The kinds of task.
const (
	DeleteTask     TaskKind = "delete"     // of a lineage from this host
	RetireTask     TaskKind = "retirement" // of a lineage: it is put aside
	ReturnTask     TaskKind = "return"     // of a lineage that was put aside
	RevokeTask     TaskKind = "revoke"     // of a certificate
	UnregisterTask TaskKind = "unregister" // of an account
	KeyChangeTask  TaskKind = "key-change" // of an account
	// a pre-hook was begun, so its post-hook, the subject, must run
	HookTask TaskKind = "post-hook"
	// a certificate is put in place, so the deploy hook of the whole run, the subject, must run
	DeployTask TaskKind = "deploy-hook"
)

// Task is what a command means to do beside orders, and how far it has come. It is durable before
// anything of it is done, and moves on with each step, so that whoever comes next finishes what a
// killed run began. Recovery reads these rows, and never the texts of events or commands, which may
// be worded anew with every version.
type Task struct {
	ID      int64     `json:"id"`
	RunID   int64     `json:"run"` // that began it
	Kind    TaskKind  `json:"kind"`
	Subject string    `json:"subject"` // what it is about: a lineage, an account's URL, a certificate's file, a command
	Step    string    `json:"step"`    // how far it has come; what the steps are is the business of whoever does it
	Payload string    `json:"payload"` // what is needed to go on, JSON; "" for nothing. It holds no secrets
	BegunAt time.Time `json:"begun_at"`
	EndedAt time.Time `json:"ended_at,omitzero"` // done, or given up
}

package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderly/ledger"
	"orderly/ledger/sqlstore"
	"orderly/limit"
)

// explained is a store that writes down the plan of every query it runs.
type explained struct {
	*sqlstore.Store
	queries []string
}

func explain(t *testing.T, dir string) (*explained, *sql.DB) {
	t.Helper()
	e, db := &explained{}, raw(t, dir)
	e.Store = sqlstore.New(db, db, sqlstore.Dialect{
		Rebind:    func(query string) string { e.queries = append(e.queries, query); return query },
		Duplicate: func(error) bool { return false },
		Explain:   func(err error) error { return err },
	})
	return e, db
}

// plan asks SQLite how it would run the queries recorded since the last call.
func (e *explained) plan(t *testing.T, db *sql.DB) string {
	t.Helper()
	var plan strings.Builder
	for _, query := range e.queries {
		if !strings.HasPrefix(strings.TrimSpace(query), "SELECT") {
			continue
		}
		rows, err := db.Query(`EXPLAIN QUERY PLAN `+query, make([]any, strings.Count(query, "?"))...)
		if err != nil {
			t.Fatalf("%v in %s", err, query)
		}
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(&plan, detail)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	e.queries = nil
	return plan.String()
}

// tenThousand is a ledger with that many settled orders, as a server has after years.
func tenThousand(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "ledger")
	s := open(t, dir)
	account := &ledger.Account{Server: "https://ca.example/directory", URL: "https://ca.example/acct/1"}
	at := time.Now().Add(-time.Hour)
	for batch := range 10 {
		c := &ledger.Change{Account: account, Run: &ledger.Run{Command: "renew", StartedAt: at, EndedAt: at}}
		for i := range 1000 {
			o := &ledger.Order{Lineage: fmt.Sprint("l", i), Names: []string{fmt.Sprint("n", i, ".example")}, State: ledger.Installed,
				CreatedAt: at, SettledAt: at, URL: fmt.Sprintf("https://ca.example/order/%d-%d", batch, i), Expires: at,
				Authorizations: []*ledger.Authorization{{Status: ledger.AuthorizationValid, Expires: at}}}
			c.Orders = append(c.Orders, o)
		}
		if err := s.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// What is asked at every start must not grow slower with the ledger: each of these runs over an index that holds only what
// is asked for, whether SQLite has statistics or not.
func TestWhatIsOftenAskedRunsOverAnIndex(t *testing.T) {
	dir := tenThousand(t)
	e, db := explain(t, dir)
	questions := map[string]struct {
		ask   func(ctx context.Context) (int, error)
		needs []string
	}{
		"pending": {func(ctx context.Context) (int, error) { l, err := e.Pending(ctx, time.Now()); return len(l), err },
			[]string{"INDEX authorizations_pending", "INDEX orders_phantom", "INDEX orders_live", "o USING INTEGER PRIMARY KEY"}},
		"unsettled orders": {orders(e, ledger.OrderFilter{Unsettled: true}), []string{"orders USING INDEX orders_unsettled", "INDEX authorizations_order"}},
		"live orders":      {orders(e, ledger.OrderFilter{Live: true}), []string{"orders USING INDEX orders_live"}},
		"the live orders of a lineage": {orders(e, ledger.OrderFilter{Live: true, Lineage: "x"}),
			[]string{"orders USING INDEX orders_"}},
		"the unsettled orders of a lineage": {orders(e, ledger.OrderFilter{Unsettled: true, Lineage: "x", AccountID: 1}),
			[]string{"orders USING INDEX orders_"}},
		"the order of a URL": {orders(e, ledger.OrderFilter{URL: "x"}), []string{"orders USING INDEX orders_url (url=?)"}},
		"the orders of a lineage": {orders(e, ledger.OrderFilter{Lineage: "x", Limit: 1}),
			[]string{"orders USING INDEX orders_lineage (lineage=?)"}},
		"the orders of a name set": {orders(e, ledger.OrderFilter{NameKey: "x", AccountID: 1}),
			[]string{"orders USING INDEX orders_names (name_key=?)"}},
		"the live orders that share a name": {orders(e, ledger.OrderFilter{Sharing: []string{"x", "y"}, AccountID: 1}),
			[]string{"order_names USING PRIMARY KEY (name=?)", "orders USING INTEGER PRIMARY KEY"}},
		"named buckets": {func(ctx context.Context) (int, error) {
			l, err := e.BucketsOf(ctx, 1, []limit.Bucket{{Name: "x"}, {Name: "y", Key: "z"}})
			return len(l), err
		}, []string{"sqlite_autoindex_buckets_1 (account_id=? AND name=? AND bucket_key=?)"}},
		"whether a set was issued": {func(ctx context.Context) (int, error) {
			_, err := e.Issued(ctx, 1, "x", time.Now())
			return 0, err
		}, []string{"INDEX certificates_names (account_id=? AND name_key=? AND issued_at>?)"}},
		"events of an order": {func(ctx context.Context) (int, error) { l, err := e.Events(ctx, 99999, 0); return len(l), err },
			[]string{"INDEX events_order (order_id=?)"}},
		"orders of which a token stands": {orders(e, ledger.OrderFilter{Stands: true}),
			[]string{"INDEX authorizations_standing", "orders USING INTEGER PRIMARY KEY"}},
		"tasks": {func(ctx context.Context) (int, error) { l, err := e.Tasks(ctx); return len(l), err }, []string{"INDEX tasks_open"}},
		"charges": {func(ctx context.Context) (int, error) {
			l, err := e.Charges(ctx, 1, []string{"a", "b"}, time.Now())
			return len(l), err
		}, []string{"INDEX charges_name (account_id=? AND name=? AND at>?)"}},
		"certificate": {func(ctx context.Context) (int, error) {
			_, _ = e.Certificate(ctx, "x") // there is none
			return 0, nil
		}, []string{"INDEX certificates_lineage (lineage=?)"}},
		"what logs tell of a name": {func(ctx context.Context) (int, error) {
			l, err := e.LogFailures(ctx, ledger.LogFilter{Names: []string{"x"}})
			return len(l), err
		}, []string{"log_failures USING INDEX log_failures_name (name=?)"}},
		"what logs tell of a server": {func(ctx context.Context) (int, error) {
			l, err := e.LogFailures(ctx, ledger.LogFilter{Hosts: []string{"x", "y"}})
			return len(l), err
		}, []string{"log_failures USING PRIMARY KEY (host=?)"}},
		"renewal information of a lineage": {func(ctx context.Context) (int, error) {
			l, err := e.RenewalInfos(ctx, "x")
			return len(l), err
		}, []string{"INDEX renewal_infos_lineage (lineage=?)"}},
		"a memo": {func(ctx context.Context) (int, error) {
			_, _ = e.Memo(ctx, "x") // there is none
			return 0, nil
		}, []string{"memos USING PRIMARY KEY (memo_key=?)"}},
		"last steps of runs": {func(ctx context.Context) (int, error) {
			_, err := e.Runs(ctx, 1)
			return 0, err
		}, []string{"events USING COVERING INDEX events_run (run_id=?)"}},
	}
	for _, statistics := range []string{"without statistics", "with statistics"} {
		if statistics == "with statistics" {
			if _, err := db.Exec(`ANALYZE`); err != nil {
				t.Fatal(err)
			}
		}
		for question, q := range questions {
			t.Run(question+" "+statistics, func(t *testing.T) {
				found, err := q.ask(t.Context())
				if err != nil || found != 0 {
					t.Fatalf("%d found, %v", found, err)
				}
				checkPlan(t, e.plan(t, db), q.needs)
			})
		}
	}
}

func orders(e *explained, f ledger.OrderFilter) func(context.Context) (int, error) {
	return func(ctx context.Context) (int, error) {
		found, err := e.Orders(ctx, f)
		// The second query, for the authorizations, is run only when there are orders; its plan is asked for all the same.
		first := e.queries[len(e.queries)-1]
		e.queries = append(e.queries, `SELECT url FROM authorizations WHERE order_id IN (SELECT id `+first[strings.Index(first, "FROM"):]+`)`)
		return len(found), err
	}
}

func checkPlan(t *testing.T, plan string, needs []string) {
	t.Helper()
	for _, need := range needs {
		if !strings.Contains(plan, need) {
			t.Errorf("no %q in the plan:\n%s", need, plan)
		}
	}
	for line := range strings.Lines(plan) {
		// runs are scanned backwards and end at the limit
		values := strings.HasSuffix(strings.TrimSpace(line), "VALUES CLAUSE")
		if strings.HasPrefix(line, "SCAN") && !values && !strings.Contains(line, "INDEX") && strings.TrimSpace(line) != "SCAN r" {
			t.Errorf("a whole table is read:\n%s", plan)
		}
	}
}

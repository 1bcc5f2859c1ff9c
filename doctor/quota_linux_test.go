package doctor_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"orderly/doctor"
)

// quotas are those of the users of a host's only file system.
type quotas struct {
	of    map[uint32]doctor.Quota
	asked []string
}

func (q *quotas) ask(device string, uid uint32) (doctor.Quota, error) {
	q.asked = append(q.asked, fmt.Sprint(device, " ", uid))
	quota, there := q.of[uid]
	if !there {
		return quota, unix.ESRCH
	}
	return quota, nil
}

// written makes a lineage whose tokens are written as a user: behind a link of his.
func (p *place) written(name string, uid int) {
	p.t.Helper()
	p.healthy(name)
	root := p.at(name).Root
	home := filepath.Join(p.dir, "home", name)
	err := errors.Join(os.MkdirAll(filepath.Join(home, "www"), 0o755), os.Remove(root), os.Symlink(filepath.Join(home, "www"), root),
		os.Lchown(root, uid, uid), os.Chown(home, uid, uid), os.Chown(filepath.Join(home, "www"), uid, uid))
	if err != nil {
		p.t.Fatal(err)
	}
}

// mounted says what is mounted at the place.
func (p *place) mounted(kind string) {
	p.t.Helper()
	list := filepath.Join(p.dir, "proc/self/mountinfo")
	err := errors.Join(os.Chmod(p.dir, 0o755), os.Chmod(filepath.Dir(p.dir), 0o755), os.MkdirAll(filepath.Dir(list), 0o755),
		os.WriteFile(list, []byte("1 1 8:1 / / rw - "+kind+" /dev/sda1 rw,usrquota\n"), 0o644))
	if err != nil {
		p.t.Fatal(err)
	}
}

// A user whose quota is used up has no tokens written as him, whatever the file system has left: that
// is told with when it hurts. Root's own are not asked for, nor is a file system of the network.
func TestAQuotaThatIsUsedUpIsTold(t *testing.T) {
	const mib = 1 << 20
	p := newPlace(t)
	p.mounted("ext4")
	p.healthy("root.example")
	p.written("a.example", 1600)
	p.written("b.example", 1600)
	day := 24 * time.Hour
	for name, c := range map[string]struct {
		quota    doctor.Quota
		severity doctor.Severity
		words    string
	}{
		"none":              {},
		"room":              {quota: doctor.Quota{Bytes: doctor.Allowance{Used: mib, Soft: 8 * mib, Hard: 10 * mib}, Files: doctor.Allowance{Used: 5, Hard: 100}}},
		"no bytes":          {doctor.Quota{Bytes: doctor.Allowance{Used: 10 * mib, Soft: 8 * mib, Hard: 10 * mib}}, doctor.WillFail, "10485760 of 10485760 bytes are used"},
		"nearly no bytes":   {doctor.Quota{Bytes: doctor.Allowance{Used: 10*mib - 4096, Hard: 10 * mib}}, doctor.WillFail, "of 10485760 bytes"},
		"no inodes":         {doctor.Quota{Files: doctor.Allowance{Used: 99, Hard: 100}}, doctor.WillFail, "99 of 100 inodes are used"},
		"grace is over":     {doctor.Quota{Bytes: doctor.Allowance{Used: 9 * mib, Soft: 8 * mib, Hard: 10 * mib, Until: p.now.Add(-day)}}, doctor.WillFail, "the grace for that ended on"},
		"grace ends first":  {doctor.Quota{Files: doctor.Allowance{Used: 9, Soft: 8, Until: p.now.Add(day)}}, doctor.WillFail, "the grace for that ends on"},
		"grace ends later":  {doctor.Quota{Files: doctor.Allowance{Used: 9, Soft: 8, Until: p.now.Add(90 * day)}}, doctor.Note, "above the soft limit of 8"},
		"above, no grace":   {quota: doctor.Quota{Files: doctor.Allowance{Used: 9, Soft: 8}}},
		"below, old moment": {quota: doctor.Quota{Files: doctor.Allowance{Used: 7, Soft: 8, Until: p.now.Add(-day)}}},
	} {
		q := &quotas{of: map[uint32]doctor.Quota{1600: c.quota, 0: {Bytes: doctor.Allowance{Used: mib, Hard: 1}}}}
		r := p.withQuotas(q)
		if strings.Join(q.asked, ", ") != "/dev/sda1 1600" {
			t.Errorf("%s: asked for %q", name, q.asked)
		}
		if c.severity == "" {
			if len(r.Findings) > 0 {
				t.Errorf("%s: %+v", name, r.Findings)
			}
			continue
		}
		if len(r.Findings) != 1 {
			t.Errorf("%s: %+v", name, r.Findings)
			continue
		}
		f := r.Findings[0]
		if f.ID != "D23" || f.Severity != c.severity || !strings.Contains(f.Sentence, c.words) || !strings.Contains(f.Sentence, "this user: 2") ||
			f.HurtsAt.IsZero() != (c.severity == doctor.Note) || !strings.Contains(string(f.Remedy), "quota -v -u 1600") || f.File == "" {
			t.Errorf("%s: %+v", name, f)
		}
	}
	p.mounted("nfs4")
	q := &quotas{of: map[uint32]doctor.Quota{1600: {Files: doctor.Allowance{Used: 9, Hard: 9}}}}
	if r := p.withQuotas(q); len(q.asked)+len(r.Findings) > 0 {
		t.Errorf("asked for %q: %+v", q.asked, r.Findings)
	}
}

func (p *place) withQuotas(q *quotas) doctor.Report {
	p.t.Helper()
	r, err := doctor.Examine(p.t.Context(), doctor.Host{Disk: p.disk(), Ledger: p.store, Root: p.dir,
		Now: func() time.Time { return p.now }, Tell: p.t.Logf, Quota: q.ask}, doctor.Wanted{})
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

package cli

// A document root that was named by a flag is looked at before anything else, as certbot does, in
// its words. Only the writer's helpers touch it: it may be on a file system that never answers.

import (
	"context"
	"maps"
	"slices"
	"strings"

	"orderly/failure"
	"orderly/solver/webroot"
)

// mustBeThere refuses a document root of the command line that is no directory.
func (r *roots) mustBeThere(ctx context.Context, s *session) error {
	all := append(slices.Collect(maps.Values(r.mapped)), r.paths...)
	for _, path := range slices.Compact(slices.Sorted(slices.Values(all))) {
		if err := s.documentRoot(ctx, path); err != nil {
			return err
		}
	}
	return nil
}

// documentRoot says, in certbot's words, if a path is no directory. Only the writer's helpers touch
// one: it may be on a file system that does not answer.
func (s *session) documentRoot(ctx context.Context, path string) error {
	_, err := s.server.Writer.Inspect(ctx, path)
	switch failure.ClassOf(err) {
	case failure.WebrootGone:
		// which is here the flag itself
		mend, _, _ := strings.Cut(string(failure.RemedyOf(err)), ", or name the right one")
		mend = strings.TrimSuffix(mend, ".") + ", or name another with -w."
		// a path just typed is a slip: what stands there stays
		if strings.HasPrefix(mend, webroot.InItsPlace) {
			mend = "Name a directory with -w: the one that the web server serves for these names."
		}
		return failure.New(failure.WebrootGone, failure.Remedy(mend),
			"%s does not exist or is not a directory",
			failure.Clean(path))
	case failure.Stopped:
		return err
	}
	return nil // what else is wrong with it preflight says
}

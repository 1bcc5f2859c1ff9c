package webroot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A helper that acts for a customer has the customer's groups and no others, as the host's user
// data base has them: a group too many reads what he cannot.

// identity is as whom a helper works: the run's own user, or another one with that user's groups.
type identity struct {
	uid    uint32
	other  bool // not the run's own
	groups []int
}

// noGroup is what a user has who is in no group that this host knows of.
const noGroup = 65534

// argument is the identity as the helper's command line has it, so that ps shows as whom it works:
// UID:GROUP,GROUP or "own".
func (i identity) argument() string {
	if !i.other {
		return "own"
	}
	var groups []string
	for _, g := range i.groups {
		groups = append(groups, strconv.Itoa(g))
	}
	return strconv.FormatUint(uint64(i.uid), 10) + ":" + strings.Join(groups, ",")
}

func parseIdentity(text string) (identity, error) {
	if text == "own" {
		return identity{uid: uint32(os.Geteuid())}, nil
	}
	uid, list, ok := strings.Cut(text, ":")
	n, err := strconv.ParseUint(uid, 10, 32)
	if !ok || err != nil || n == 0 {
		return identity{}, errors.New("no identity: " + text)
	}
	groups, err := numbers(list, ",")
	return identity{uid: uint32(n), other: true, groups: groups}, err
}

// numbers reads numbers of groups.
func numbers(text, between string) ([]int, error) {
	var all []int
	for word := range strings.SplitSeq(text, between) {
		n, err := strconv.ParseUint(strings.TrimSpace(word), 10, 32)
		if err != nil {
			return nil, err
		}
		all = append(all, int(n))
	}
	return all, nil
}

// take makes the process the user's, as far as the kernel's judgement of files goes. The real user
// stays root, so that the customer can neither trace nor end it.
func (i identity) take() error {
	if err := hide(); err != nil {
		return err
	}
	if !i.other {
		return nil
	}
	if err := syscall.Setgroups(i.groups); err != nil {
		return err
	}
	if err := syscall.Setegid(i.groups[0]); err != nil {
		return err
	}
	if err := syscall.Seteuid(int(i.uid)); err != nil {
		return err
	}
	if os.Geteuid() != int(i.uid) || os.Getegid() != i.groups[0] || os.Getuid() != 0 {
		return errors.New("the kernel gave another identity than was asked for")
	}
	return hide() // the kernel has set it anew with the user
}

// idPatience bounds the questions to the host's user data base, which may be in LDAP.
const idPatience = 5 * time.Second

// lookUp finds the groups of a user: those that id(1) tells, which knows every source of the
// host's, else the group in the passwd file. The group of a file is never taken: a customer may
// have given it away.
func lookUp(ctx context.Context, uid uint32) identity {
	ctx, cancel := context.WithTimeout(ctx, idPatience)
	defer cancel()
	who := identity{uid: uid, other: true}
	number := strconv.FormatUint(uint64(uid), 10)
	// else it is the name of another user
	if said, err := askID(ctx, "-u", number); err == nil && said == number {
		if said, err := askID(ctx, "-G", number); err == nil {
			who.groups, _ = numbers(said, " ")
		}
	}
	if entry, err := user.LookupId(number); len(who.groups) == 0 && err == nil {
		who.groups, _ = numbers(entry.Gid, " ")
	}
	if len(who.groups) == 0 {
		who.groups = []int{noGroup}
	}
	return who
}

func askID(ctx context.Context, flag, uid string) (string, error) {
	for _, program := range []string{"/usr/bin/id", "/bin/id"} {
		if _, err := os.Stat(program); err != nil {
			continue
		}
		cmd := exec.CommandContext(ctx, program, flag, uid)
		cmd.Env, cmd.Dir, cmd.WaitDelay = []string{"LC_ALL=C"}, "/", time.Second
		out, err := cmd.Output()
		return strings.TrimSpace(string(out)), err
	}
	return "", errors.New("there is no id(1)")
}

// nameOf is what a person calls a user, as chown takes it.
func nameOf(uid uint32) string {
	number := strconv.FormatUint(uint64(uid), 10)
	entry, err := user.LookupId(number)
	if err != nil || !isPlain(entry.Username) {
		return number
	}
	return entry.Username
}

// ownership is what chown takes for a user and his group. It knows no group for a number without an
// account.
func ownership(uid uint32) string {
	if name := nameOf(uid); name != strconv.FormatUint(uint64(uid), 10) {
		return name + ":"
	}
	return strconv.FormatUint(uint64(uid), 10)
}

// called is a user in a sentence.
func called(uid uint32) string {
	if name := nameOf(uid); name != strconv.FormatUint(uint64(uid), 10) {
		return fmt.Sprintf("%s (uid %d)", name, uid)
	}
	return fmt.Sprintf("the user %d", uid)
}

// isPlain reports whether a word can stand in a shell's command as it is.
func isPlain(word string) bool {
	return word != "" && word[0] != '-' && !strings.ContainsFunc(word, func(r rune) bool {
		return !slices.Contains([]rune("/._-+@%,:="), r) && (r < '0' || r > '9') &&
			(r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}

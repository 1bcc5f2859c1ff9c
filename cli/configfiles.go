package cli

// Where configuration files are and whether they may be obeyed. cli.ini may name hooks, which root
// runs: a file that another user can write is refused, one that never ends is not read to its end,
// and one that cannot even be seen is none.

import (
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"

	"orderly/certbot"
	"orderly/cli/argparse"
	"orderly/failure"
	"orderly/ownfile"
)

// configFiles are the files that certbot reads whatever --config-dir says (constants.CLI_DEFAULTS),
// and then the one of -c.
func configFiles(env Env, named string) []string {
	files := slices.Clone(env.ConfigFiles)
	if env.ConfigFiles == nil {
		files = []string{
			filepath.Join(certbot.DefaultDirs().Config, "cli.ini"),
			filepath.Join(userConfig(env.Getenv), "letsencrypt", "cli.ini"),
		}
	}
	if named != "" {
		files = append(files, home(env.Getenv, named))
	}
	return files
}

func userConfig(getenv func(string) string) string {
	if dir := getenv("XDG_CONFIG_HOME"); dir != "" {
		return home(getenv, dir)
	}
	return home(getenv, "~/.config")
}

// home replaces ~ as certbot does. System services often have no HOME; then the account's directory
// is looked up.
func home(getenv func(string) string, path string) string {
	rest, ok := strings.CutPrefix(path, "~/")
	if !ok {
		return path
	}
	dir := getenv("HOME")
	if u, err := user.Current(); dir == "" && err == nil {
		dir = u.HomeDir
	}
	if dir == "" {
		return path
	}
	return filepath.Join(dir, rest)
}

// configTexts reads the configuration files, the most important last. Only the one that was named
// must be there.
func configTexts(env Env, named string) iter.Seq2[argparse.File, error] {
	return func(yield func(argparse.File, error) bool) {
		files := configFiles(env, named)
		for i, name := range files {
			text, there, err := readConfig(name, named != "" && i == len(files)-1)
			if (there || err != nil) && !yield(argparse.File{Name: name, Text: text}, err) {
				return
			}
		}
	}
}

// readConfig reads a configuration file and reports whether it is there. One that was named must
// be.
func readConfig(name string, named bool) (text string, there bool, err error) {
	if !named {
		if err := obeyable(name); err != nil {
			return "", false, err
		}
	}
	text, err = readFile(name)
	switch {
	case err == nil:
		return text, true, nil
	case named:
		return "", false, failure.Wrap(err, failure.Usage, "Name a file that can be read.",
			"Unable to open config file: %s", failure.Clean(name))
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid):
		return "", false, nil
	}
	return "", false, failure.Wrap(err, failure.Config, "Make the file readable, or remove it.",
		"the configuration file cannot be read")
}

// obeyable refuses a file that nobody named and that another user can write: it may name hooks,
// which root would run. HOME is another user's where sudo keeps it. Who can write certbot's own
// directory can write renewal files, and their hooks, anyhow.
func obeyable(name string) error {
	dir := filepath.Dir(name)
	if dir == certbot.DefaultDirs().Config && ownfile.Others(dir) {
		return nil
	}
	return ownfile.Obeyable(name)
}

// unseen is the error of a file that cannot even be seen, such as below the HOME of another user:
// for who may not see it, it is not there. certbot looks for its files by their names (glob), and
// passes over what does not show itself.
type unseen struct{ error }

// Unwrap returns what the system says.
func (e unseen) Unwrap() error { return e.error }

// Is makes it a file that is not there.
func (unseen) Is(target error) bool { return target == fs.ErrNotExist }

// mostConfig is how much of a configuration file is read; -c may name a device that never ends.
const mostConfig = 1 << 20

func readFile(name string) (string, error) {
	file, err := os.Open(name)
	if err != nil {
		if _, hidden := os.Lstat(name); hidden != nil {
			return "", unseen{err}
		}
		return "", err
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, mostConfig+1))
	if err == nil && len(text) > mostConfig {
		return "", failure.New(failure.Config, "", "%s is larger than a megabyte", failure.Clean(name))
	}
	return string(text), err
}

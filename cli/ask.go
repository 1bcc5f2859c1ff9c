package cli

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"
)

// question is what certbot asks before it does something that cannot be undone.
type question struct {
	text    string
	yes, no string // what the answers do, such as "Deactivate" and "Abort"
}

// ask asks a person at a terminal. Where nobody can answer, or -n was given, the answer is yes, which is certbot's default
// for what its caller asked for by name.
func (f *places) ask(env Env, q question) bool {
	stdin, ok := env.Stdin.(*os.File)
	if f.noninteractive || f.quiet || f.json || !ok || !term.IsTerminal(int(stdin.Fd())) {
		return true
	}
	in := bufio.NewReader(stdin)
	yes, no := letter(q.yes), letter(q.no)
	for {
		fmt.Fprintf(env.Stderr, "%s\n(%c)%s/(%c)%s: ", q.text, q.yes[0], q.yes[1:], q.no[0], q.no[1:])
		line, err := in.ReadString('\n')
		switch answer := strings.ToLower(strings.TrimSpace(line)); {
		case answer != "" && strings.HasPrefix(strings.ToLower(q.yes), answer) && letter(answer) == yes:
			return true
		case answer != "" && strings.HasPrefix(strings.ToLower(q.no), answer) && letter(answer) == no:
			return false
		case err != nil:
			return false // the terminal is gone: nothing was agreed to
		}
	}
}

func letter(word string) byte { return strings.ToLower(word)[0] }

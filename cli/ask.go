package cli

// Questions are asked as certbot asks them: the same words in the same order, also where answers
// come from a pipe, since scripts answer by position. Where nobody answers, a question must not
// hang a run of cron: it is answered as with -n.

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"

	"orderly/failure"
	"orderly/renewal"
)

// answerTime is how long an answer is waited for: certbot's time (input_with_timeout), so that a
// run that somebody left at a terminal is gone before the next night's but one.
const answerTime = 10 * time.Hour

// errCanceled says that a person ended the questions.
var errCanceled = errors.New("canceled")

// dialogue asks what certbot asks, in its words and in its order, since answers come from scripts,
// too (`echo 2 | certonly …`). Where nothing comes, a question is answered as with -n.
type dialogue struct {
	p       *printer
	in      *bufio.Reader
	silent  bool // -n, -q, --json: nobody is asked
	watched bool // a person is at a terminal, or it was said so
	skipped bool // the note about a question that was passed over was given
}

// mute reports whether nothing can come from a standard input: it is closed, or /dev/null, as
// cron's. A question would only fill the mail that cron sends.
func mute(stdin io.Reader) bool {
	file, ok := stdin.(*os.File)
	if stdin == nil || ok && file == nil {
		return true
	}
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err != nil || info.Mode()&os.ModeCharDevice != 0 && !term.IsTerminal(int(file.Fd()))
}

// line reads an answer; errNobody where there is none.
func (d *dialogue) line(ctx context.Context, prompt string) (string, error) {
	d.print(prompt)
	type read struct {
		text string
		err  error
	}
	answer := make(chan read, 1)
	go func() { // a terminal cannot be read with a bound; at the end of the process it ends
		text, err := d.in.ReadString('\n')
		answer <- read{text, err}
	}()
	timer := time.NewTimer(answerTime)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return "", failure.Wrap(context.Cause(ctx), failure.Stopped, "Run the same command again.",
			"stopped while an answer was waited for")
	case <-timer.C:
		return "", failure.New(failure.Usage, "Give the answer by a flag, or add -n.",
			"Timed out waiting for answer to prompt '%s'", prompt)
	case r := <-answer:
		if r.text == "" && r.err != nil {
			d.silent = true // whoever answers has gone
			d.print("\n")
			return "", renewal.ErrNobody
		}
		return strings.TrimRight(r.text, "\r\n"), nil
	}
}

func (d *dialogue) print(text string) {
	d.p.log("ask", text)
	fmt.Fprint(d.p.out, text)
}

// open reports whether a question is asked. One that is for terminals alone is passed over
// elsewhere, with certbot's note.
func (d *dialogue) open(atTerminal bool) bool {
	if d.silent || d.in == nil {
		return false
	}
	if atTerminal && !d.watched {
		if d.p.certbot && !d.skipped {
			d.skipped = true
			d.p.Warn("Skipped user interaction because Certbot doesn't appear to be running in a " +
				"terminal. You should probably include --non-interactive or --force-interactive on " +
				"the command line.")
		}
		return false
	}
	return true
}

// put asks a question (FileDisplay.yesno and menu in certbot/_internal/display/obj.py); the answer
// counts from 0, which is yes or the first choice.
func (d *dialogue) put(ctx context.Context, q renewal.Question) (int, error) {
	if !d.open(q.AtTerminal) {
		return 0, renewal.ErrNobody
	}
	if len(q.Choices) > 0 {
		return d.menu(ctx, q.Text, q.Choices)
	}
	d.print("\n" + frame + "\n" + fold(q.Text) + "\n" + frame + "\n")
	for {
		answer, err := d.line(ctx, fmt.Sprintf("(%c)%s/(%c)%s: ", q.Yes[0], q.Yes[1:], q.No[0],
			q.No[1:]))
		if err != nil {
			return 0, err
		}
		for i, word := range []string{q.Yes, q.No} {
			if answer != "" && strings.EqualFold(answer[:1], word[:1]) {
				return i, nil
			}
		}
	}
}

// list shows what there is to choose from.
func (d *dialogue) list(text string, choices []string) {
	lines := []string{"", text, frame}
	for i, choice := range choices {
		lines = append(lines, fold(fmt.Sprintf("%d: %s", i+1, choice)))
	}
	d.print(strings.Join(append(lines, frame), "\n") + "\n")
}

func (d *dialogue) menu(ctx context.Context, text string, choices []string) (int, error) {
	d.list(text, choices)
	prompt := fmt.Sprintf("Select the appropriate number [1-%d] then [enter] (press 'c' to cancel): ",
		len(choices))
	if len(choices) == 1 {
		prompt = "Press 1 [enter] to confirm the selection (press 'c' to cancel): "
	}
	for {
		answer, err := d.line(ctx, prompt)
		if err != nil {
			return 0, err
		}
		if strings.HasPrefix(strings.ToLower(answer), "c") {
			return 0, errCanceled
		}
		if n, err := strconv.Atoi(strings.TrimSpace(answer)); err == nil && n >= 1 &&
			n <= len(choices) {
			return n - 1, nil
		}
		d.print("\n** Invalid input **\n")
	}
}

// input asks for a text.
func (d *dialogue) input(ctx context.Context, text string) (string, error) {
	if !d.open(false) {
		return "", renewal.ErrNobody
	}
	answer, err := d.line(ctx, fold(text+" (Enter 'c' to cancel):")+" ")
	if err == nil && strings.EqualFold(answer, "c") {
		return "", errCanceled
	}
	return answer, err
}

// confirm asks for a yes; where nobody answers it is one, which is certbot's default for what its
// caller asked for by name.
func (d *dialogue) confirm(ctx context.Context, q renewal.Question) (bool, error) {
	answer, err := d.put(ctx, q)
	if errors.Is(err, renewal.ErrNobody) {
		return true, nil
	}
	return answer == 0, err
}

// fold breaks lines as certbot does, at 80 characters and never within a word.
func fold(text string) string {
	const most = 80
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		for len(line) > most {
			at := strings.LastIndex(line[:most+1], " ")
			if at <= 0 {
				if at = strings.Index(line, " "); at <= 0 {
					break
				}
			}
			out, line = append(out, strings.TrimRight(line[:at], " ")), strings.TrimLeft(line[at:], " ")
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

// reads reports whether a person types what is read.
func reads(stdin io.Reader) bool {
	f, ok := stdin.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

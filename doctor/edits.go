package doctor

// A change is shown before it is made, as people know it from diff(1); where there is no text, in
// words.

import (
	"fmt"
	"strings"

	"orderly/certbot"
	"orderly/failure"
)

// Shown are the lines in which an edit is shown.
func Shown(e certbot.Edit) []string {
	path := failure.Clean(e.Path)
	switch e.Kind {
	case certbot.Linked:
		if e.Before == "" {
			return []string{fmt.Sprintf("link %s: to %s", path, failure.Clean(e.After))}
		}
		return []string{fmt.Sprintf("link %s: from %s to %s", path, failure.Clean(e.Before),
			failure.Clean(e.After))}
	case certbot.Removed:
		return []string{"remove " + path}
	case certbot.Ran:
		return []string{"run " + path}
	case certbot.Moved:
		return []string{fmt.Sprintf("move %s to %s", path, failure.Clean(e.After))}
	case certbot.Chmoded:
		return []string{fmt.Sprintf("mode %s to %s: %s", e.Before, e.After, path)}
	case certbot.Chowned:
		return []string{fmt.Sprintf("owner %s to %s: %s", e.Before, e.After, path)}
	}
	return unified(path, e.Before, e.After)
}

// around is how many lines stand before and behind what changes.
const around = 3

// unified is the unified diff of two texts.
func unified(path, before, after string) []string {
	out := []string{"--- " + path, "+++ " + path}
	if before == "" {
		out[0] = "--- /dev/null"
	}
	script := align(lines(before), lines(after))
	for at := 0; at < len(script); {
		if script[at].sign == ' ' {
			at++
			continue
		}
		from, to := max(0, at-around), at
		for same := 0; to < len(script) && same <= 2*around; to++ {
			if same++; script[to].sign != ' ' {
				same = 0
			}
		}
		for to > at && to-1-lastChange(script[:to]) > around {
			to--
		}
		out = append(out, hunk(script, from, to)...)
		at = to
	}
	return out
}

// lastChange is the index of the last line that is not the same in both.
func lastChange(script []diffLine) int {
	for i := len(script) - 1; i >= 0; i-- {
		if script[i].sign != ' ' {
			return i
		}
	}
	return -1
}

// hunk is a part of a diff with its heading.
func hunk(script []diffLine, from, to int) []string {
	old, now := 1, 1
	for _, l := range script[:from] {
		if l.sign != '+' {
			old++
		}
		if l.sign != '-' {
			now++
		}
	}
	oldLines, nowLines := 0, 0
	body := []string{""}
	for _, l := range script[from:to] {
		if l.sign != '+' {
			oldLines++
		}
		if l.sign != '-' {
			nowLines++
		}
		body = append(body, string(l.sign)+failure.Clean(l.text))
	}
	if oldLines == 0 {
		old--
	}
	body[0] = fmt.Sprintf("@@ -%d,%d +%d,%d @@", old, oldLines, now, nowLines)
	return body
}

// lines are those of a text. Their ends, which a repair keeps, are not shown.
func lines(text string) []string {
	if text == "" {
		return nil
	}
	all := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i := range all {
		all[i] = strings.TrimSuffix(all[i], "\r")
	}
	return all
}

// diffLine is a line of one text or of both: '-', '+' or ' '.
type diffLine struct {
	sign byte
	text string
}

// mostCompared bounds the table of align: a renewal file has some thirty lines, and one with ten
// thousand is shown as wholly changed.
const mostCompared = 2_000

// align finds the longest lines in common.
func align(old, now []string) []diffLine {
	if len(old) > mostCompared || len(now) > mostCompared {
		return append(signed('-', old), signed('+', now)...)
	}
	common := make([][]int32, len(old)+1)
	for i := range common {
		common[i] = make([]int32, len(now)+1)
	}
	for i := len(old) - 1; i >= 0; i-- {
		for j := len(now) - 1; j >= 0; j-- {
			if old[i] == now[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var script []diffLine
	i, j := 0, 0
	for i < len(old) && j < len(now) {
		switch {
		case old[i] == now[j]:
			script = append(script, diffLine{' ', old[i]})
			i, j = i+1, j+1
		case common[i+1][j] >= common[i][j+1]:
			script = append(script, diffLine{'-', old[i]})
			i++
		default:
			script = append(script, diffLine{'+', now[j]})
			j++
		}
	}
	return append(append(script, signed('-', old[i:])...), signed('+', now[j:])...)
}

func signed(sign byte, all []string) []diffLine {
	var script []diffLine
	for _, text := range all {
		script = append(script, diffLine{sign, text})
	}
	return script
}

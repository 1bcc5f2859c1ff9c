package metrics

// The text format of Prometheus, as node_exporter's textfile collector reads it.

import (
	"fmt"
	"strconv"
	"strings"
)

// Text is the families in the text format.
func Text(all []Family) string {
	var text strings.Builder
	for _, f := range all {
		fmt.Fprintf(&text, "# HELP %s %s\n# TYPE %s gauge\n", f.Name, escaped(f.Help, false), f.Name)
		for _, s := range f.Samples {
			fmt.Fprintf(&text, "%s%s %s\n", f.Name, labels(s.Labels),
				strconv.FormatFloat(s.Value, 'f', -1, 64))
		}
	}
	return text.String()
}

func labels(all []Label) string {
	if len(all) == 0 {
		return ""
	}
	var parts []string
	for _, l := range all {
		parts = append(parts, l.Name+`="`+escaped(l.Value, true)+`"`)
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// escaped is a text in which nothing ends it but its end.
func escaped(text string, quoted bool) string {
	text = strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(text)
	if quoted {
		text = strings.ReplaceAll(text, `"`, `\"`)
	}
	return text
}

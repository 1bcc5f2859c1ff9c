// Package metrics tells Prometheus how the certificates of a host are: what a node_exporter reads
// from a file. It counts what the doctor and the ledger know, and never asks anybody, never writes
// to either, and never makes a series for each name or certificate: a monitoring that has one for
// each of 300,000 is switched off.
package metrics

import (
	"context"
	"slices"
	"strings"
	"time"

	"orderly/doctor"
	"orderly/failure"
	"orderly/ledger"
	"orderly/limit"
)

// Facts are what is counted.
type Facts struct {
	At       time.Time
	Version  string // of the program
	Report   doctor.Report
	Ledger   ledger.Store // nil where there is none
	Profiles limit.Profiles
	// Alive reports whether a run that has no end is at work; otherwise it was killed.
	Alive func(ledger.Run) (bool, error)
}

// Family is all samples of one name.
type Family struct {
	Name    string   `json:"name"`
	Help    string   `json:"help"`
	Samples []Sample `json:"samples"` // each with other labels
}

// Sample is one value.
type Sample struct {
	Labels []Label `json:"labels"`
	Value  float64 `json:"value"`
}

// Label tells samples of one family apart.
type Label struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// longestLabel is how much of a value is kept, in bytes.
const longestLabel = 200

// mostSamples bounds each family: what is beyond is added up in one whose labels are all "other".
const mostSamples = 200

// Gather counts. Every family is a gauge: what is counted can become less.
func Gather(ctx context.Context, f Facts) ([]Family, error) {
	all := []Family{
		one("orderly_build_info", "The version of Orderly that wrote these metrics.", 1,
			"version", f.Version),
		one("orderly_metrics_timestamp_seconds", "When these metrics were written.", seconds(f.At)),
	}
	all = append(all, certificates(f)...)
	all = append(all, findings(f.Report))
	if f.Ledger == nil {
		return all, nil
	}
	for _, more := range []func(context.Context, Facts) ([]Family, error){failing, runs, authorizations,
		budgets, messages} {
		some, err := more(ctx, f)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return slices.DeleteFunc(all, func(f Family) bool { return len(f.Samples) == 0 }), nil
}

// one is a family of one sample, with names and values of labels in turn.
func one(name, help string, value float64, labels ...string) Family {
	f := Family{Name: name, Help: help}
	f.add(value, labels...)
	return f
}

// add adds to the sample with these labels: two that look the same once they are clean are one.
func (f *Family) add(value float64, labels ...string) {
	f.put(labels, func(had float64, known bool) float64 { return had + value })
}

// least keeps the least value of those with these labels.
func (f *Family) least(value float64, labels ...string) {
	f.put(labels, func(had float64, known bool) float64 {
		if known {
			return min(had, value)
		}
		return value
	})
}

func (f *Family) put(labels []string, value func(had float64, known bool) float64) {
	var wanted []Label
	for i := 0; i+1 < len(labels); i += 2 {
		wanted = append(wanted, Label{labels[i], labelled(labels[i+1])})
	}
	same := func(s Sample) bool { return slices.Equal(s.Labels, wanted) }
	at := slices.IndexFunc(f.Samples, same)
	if at < 0 && len(f.Samples) >= mostSamples {
		for i := range wanted {
			wanted[i].Value = "other"
		}
		at = slices.IndexFunc(f.Samples, same)
	}
	if at < 0 {
		f.Samples = append(f.Samples, Sample{wanted, value(0, false)})
		return
	}
	f.Samples[at].Value = value(f.Samples[at].Value, true)
}

// labelled is a text as a label's value.
func labelled(text string) string {
	text = failure.Clean(text)
	return strings.ToValidUTF8(text[:min(len(text), longestLabel)], "")
}

// seconds is a moment as Prometheus has it.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// sort puts samples in the order of their labels: files that say the same are the same.
func (f *Family) sort() {
	slices.SortFunc(f.Samples, func(a, b Sample) int {
		return slices.CompareFunc(a.Labels, b.Labels, func(x, y Label) int {
			return strings.Compare(x.Value, y.Value)
		})
	})
}

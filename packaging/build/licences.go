package main

// The licences of everything that is linked: the modules are those that the binary itself names,
// their texts those beside the packages that were compiled. A licence is kept whole, since most of
// them ask for nothing but that.

import (
	"bytes"
	"cmp"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// licensed is a module and its texts.
type licensed struct {
	module, version string
	texts           []text
}

// text is a file about a licence.
type text struct {
	path string // within the module
	body string
}

// licences are those of a binary; Go's own library is the first.
type licences []licensed

// licences finds the texts for everything that a binary names.
func (b *builder) licences(binary string) (licences, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	var env []string
	for _, setting := range info.Settings {
		if setting.Key == "GOOS" || setting.Key == "GOARCH" {
			env = append(env, setting.Key+"="+setting.Value)
		}
	}
	dirs, err := b.linked(env)
	if err != nil {
		return nil, err
	}
	own, err := os.ReadFile(filepath.Join(b.top, "packaging/licences/go"))
	if err != nil {
		return nil, err
	}
	all := licences{{"Go's library", info.GoVersion, []text{{"LICENSE", string(own)}}}}
	for _, module := range info.Deps {
		found := licensed{module: module.Path, version: module.Version}
		for _, dir := range dirs[module.Path] {
			more, err := textsIn(dir.module, dir.dir)
			if err != nil {
				return nil, err
			}
			found.texts = append(found.texts, more...)
		}
		slices.SortFunc(found.texts, func(a, b text) int { return cmp.Compare(a.path, b.path) })
		found.texts = slices.CompactFunc(found.texts, func(a, b text) bool { return a.path == b.path })
		if len(found.texts) == 0 {
			return nil, fmt.Errorf("%s is linked, and no licence of it was found", module.Path)
		}
		all = append(all, found)
	}
	return all, nil
}

// place is a directory of a module.
type place struct{ module, dir string }

// linked are the directories of each module whose packages are compiled, and those above them.
func (b *builder) linked(env []string) (map[string][]place, error) {
	var out bytes.Buffer
	if err := b.goCommand(env, &out, "list", "-deps", "-json=Dir,Module", "./cmd/orderly"); err != nil {
		return nil, err
	}
	dirs := map[string][]place{}
	for decoder := json.NewDecoder(&out); ; {
		var p struct {
			Dir    string
			Module *struct{ Path, Dir string }
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return dirs, nil
		} else if err != nil {
			return nil, err
		}
		if p.Module == nil {
			continue
		}
		for dir := p.Dir; strings.HasPrefix(dir, p.Module.Dir); dir = filepath.Dir(dir) {
			at := place{p.Module.Dir, dir}
			if !slices.Contains(dirs[p.Module.Path], at) {
				dirs[p.Module.Path] = append(dirs[p.Module.Path], at)
			}
		}
	}
}

// textsIn are the files of a directory that are about licences.
func textsIn(module, dir string) ([]text, error) {
	named := regexp.MustCompile(`(?i)^(licen[cs]es?|copying|copyright|notice|patents|unlicense)([-._].*)?$`)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var texts []text
	for _, e := range entries {
		if !named.MatchString(e.Name()) || !e.Type().IsRegular() || strings.HasSuffix(e.Name(), ".go") {
			continue
		}
		body, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		path, err := filepath.Rel(module, filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		texts = append(texts, text{filepath.ToSlash(path), strings.ReplaceAll(string(body), "\r\n", "\n")})
	}
	return texts, nil
}

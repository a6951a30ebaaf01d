package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

var shells = []string{"bash", "zsh", "fish", "powershell"}

// pages builds the man pages, the completions and the license texts. A separate build with
// the tag man writes the first two, so the released binary lacks the code for man pages.
func (r *release) pages() error {
	program := r.staged("pages/goodgate")
	if _, err := r.output("go", "build", "-buildvcs=false", "-tags", "man", "-o", program, "./cmd/goodgate"); err != nil {
		return err
	}
	raw := r.staged("pages/man")
	if err := os.MkdirAll(raw, 0o755); err != nil {
		return err
	}
	if _, err := r.output(program, "man", "--version", r.version, "--date", r.time.Format(time.DateOnly), raw); err != nil {
		return err
	}
	pages, err := folder("", raw)
	if err != nil {
		return err
	}
	for _, p := range pages {
		if err := gzipFile(r.staged("man/"+p.name+".gz"), p.path); err != nil {
			return err
		}
	}
	for _, shell := range shells {
		text, err := r.output(program, "completion", shell)
		if err != nil {
			return err
		}
		if err := r.write("completions/goodgate."+shell, text); err != nil {
			return err
		}
	}
	return r.licenses()
}

func gzipFile(to, from string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return create(to, func(w io.Writer) error {
		return compress(w, func(w io.Writer) error {
			_, err := w.Write(content)
			return err
		})
	})
}

// write adds a text to the stage, with the commit's time, which packages may preserve.
func (r *release) write(name, text string) error {
	err := create(r.staged(name), func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
	return errors.Join(err, os.Chtimes(r.staged(name), r.time, r.time))
}

// licenses collects the license texts of the modules in the binary, for all targets.
func (r *release) licenses() error {
	modules := map[string]string{}
	for _, t := range targets {
		c := r.command([]string{"GOOS=" + t.os, "GOARCH=" + t.arch}, "go", "list", "-deps", "-f",
			`{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}`+"\t"+`{{.Dir}}{{end}}{{end}}`, "./cmd/goodgate")
		list, err := output(c)
		if err != nil {
			return err
		}
		for line := range strings.Lines(list) {
			if name, dir, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
				modules[name] = dir
			}
		}
	}
	names := make([]string, 0, len(modules))
	for name := range modules {
		names = append(names, name)
	}
	slices.Sort(names)
	var all bytes.Buffer
	fmt.Fprintf(&all, "goodgate's binary contains the Go runtime, the standard library, and these modules.\n")
	goroot, err := r.output("go", "env", "GOROOT")
	if err != nil {
		return err
	}
	if err := appendLicenses(&all, "Go", strings.TrimSpace(goroot)); err != nil {
		return err
	}
	for _, name := range names {
		if err := appendLicenses(&all, name, modules[name]); err != nil {
			return err
		}
	}
	return r.write("doc/licenses.txt", all.String())
}

// appendLicenses writes the license files of a module's folder. A module without one is
// an error.
func appendLicenses(w io.Writer, name, dir string) error {
	fmt.Fprintf(w, "\n%s\n%s\n", strings.Repeat("=", 80), name)
	found := 0
	for _, pattern := range []string{"LICENSE*", "LICENCE*", "COPYING*", "NOTICE*"} {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return err
		}
		for _, p := range paths {
			text, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			fmt.Fprintf(w, "\n%s\n\n%s\n", filepath.Base(p), bytes.TrimSpace(text))
			found++
		}
	}
	if found == 0 {
		return fmt.Errorf("%s has no license file in %s", name, dir)
	}
	return nil
}

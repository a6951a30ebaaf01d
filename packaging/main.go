// Command packaging builds a release of goodgate in a folder: binaries, Linux packages,
// images, the Helm chart, a bill of materials, and checksums. The same commit gives the
// same bytes on every machine and at any time. scripts/release.sh calls it.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	out := flag.String("out", "dist", "output folder; emptied first")
	root := flag.String("root", "..", "folder of goodgate's source, a git checkout")
	version := flag.String("version", "", "version (default the content of packaging/VERSION)")
	only := flag.String("only", "", "build only packages for this machine's processor: deb, or linux for .deb and .rpm")
	flag.Parse()
	if flag.NArg() > 0 {
		fail(fmt.Errorf("unexpected argument %q", flag.Arg(0)))
	}
	r, err := newRelease(*root, *out, *version)
	if err != nil {
		fail(err)
	}
	steps := everything
	switch *only {
	case "":
	case "deb":
		r.deb = "gzip" // xz would take six seconds
		steps = ownPackages("deb")
	case "linux":
		steps = ownPackages("deb", "rpm")
	default:
		fail(fmt.Errorf("--only is %q, but must be deb or linux", *only))
	}
	err = r.make(steps)
	if cleaned := os.RemoveAll(r.stage); err == nil {
		err = cleaned
	}
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "packaging:", err)
	os.Exit(1)
}

// step is a part of the release.
type step struct {
	name string
	do   func(*release) error
}

var everything = []step{
	{"man pages, completions, licenses", (*release).pages},
	{"binaries", (*release).binaries},
	{"archives", (*release).archives},
	{"Linux packages", (*release).packages},
	{"images", (*release).images},
	{"Helm chart", (*release).chart},
	{"bill of materials", (*release).materials},
	{"checksums", (*release).sums},
}

// ownPackages builds the packages that can be installed on this machine.
func ownPackages(formats ...string) []step {
	return []step{
		{"man pages, completions, licenses", (*release).pages},
		{"binary", func(r *release) error { return r.build(own(), r.binary(own()), "") }},
		{"packages", func(r *release) error {
			for _, format := range formats {
				if err := r.linuxPackage(format, own()); err != nil {
					return err
				}
			}
			return nil
		}},
	}
}

func (r *release) make(steps []step) error {
	fmt.Printf("goodgate %s, commit %.12s, into %s\n", r.version, r.commit, r.out)
	if r.modified {
		fmt.Println("  the checkout has uncommitted changes, so nobody can reproduce this build")
	}
	if err := os.RemoveAll(r.out); err != nil {
		return err
	}
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	for _, s := range steps {
		fmt.Println("  " + s.name)
		if err := s.do(r); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// to returns the path of a file in the output folder.
func (r *release) to(format string, args ...any) string {
	return filepath.Join(r.out, fmt.Sprintf(format, args...))
}

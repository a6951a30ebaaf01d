package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// release is a release in progress, with its source.
type release struct {
	root, out string // absolute paths of the source and of the output
	stage     string // folder for intermediate files
	version   string // with the v
	commit    string
	modified  bool
	time      time.Time // time of the commit
	deb       string    // compression of the .deb
}

var semantic = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

func newRelease(root, out, version string) (*release, error) {
	r := &release{version: version, deb: "xz"}
	var err error
	if r.root, err = filepath.Abs(root); err != nil {
		return nil, err
	}
	if r.out, err = filepath.Abs(out); err != nil {
		return nil, err
	}
	if inside, err := filepath.Rel(r.out, r.root); err != nil || !strings.HasPrefix(inside, "..") {
		return nil, fmt.Errorf("--out %s contains the source %s, and the output folder is emptied first", r.out, r.root)
	}
	if r.version == "" {
		text, err := os.ReadFile(filepath.Join(r.root, "packaging", "VERSION"))
		if err != nil {
			return nil, err
		}
		r.version = strings.TrimSpace(string(text))
	}
	if !semantic.MatchString(r.version) {
		return nil, fmt.Errorf("the version is %q, but must be like v1.2.3 or v1.2.3-rc.1", r.version)
	}
	if err := r.readCommit(); err != nil {
		return nil, err
	}
	r.stage, err = os.MkdirTemp("", "goodgate-release-")
	return r, err
}

func (r *release) readCommit() error {
	show, err := r.output("git", "show", "-s", "--format=%H %cI", "HEAD")
	if err != nil {
		return err
	}
	hash, when, _ := strings.Cut(strings.TrimSpace(show), " ")
	r.commit = hash
	if r.time, err = time.Parse(time.RFC3339, when); err != nil {
		return err
	}
	r.time = r.time.UTC()
	status, err := r.output("git", "status", "--porcelain")
	r.modified = status != ""
	return err
}

// bare returns the version without the v, for packages and charts.
func (r *release) bare() string { return strings.TrimPrefix(r.version, "v") }

// command returns a program to run in the source folder. Its output may depend only on
// the source, so the variables that could change it have fixed values.
func (r *release) command(env []string, name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Dir = r.root
	c.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0", "LC_ALL=C", "TZ=UTC",
		fmt.Sprintf("SOURCE_DATE_EPOCH=%d", r.time.Unix()))
	c.Env = append(c.Env, env...)
	return c
}

func (r *release) output(name string, args ...string) (string, error) {
	return output(r.command(nil, name, args...))
}

// output runs a program and returns its output.
func output(c *exec.Cmd) (string, error) {
	var failed bytes.Buffer
	c.Stderr = &failed
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(c.Args, " "), err, failed.String())
	}
	return string(out), nil
}

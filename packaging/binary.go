package main

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// target is an operating system and a processor.
type target struct{ os, arch string }

func (t target) String() string { return t.os + "-" + t.arch }

// program returns the name of the binary on the target.
func (t target) program() string {
	if t.os == "windows" {
		return "goodgate.exe"
	}
	return "goodgate"
}

var targets = []target{
	{"linux", "amd64"}, {"linux", "arm64"},
	{"darwin", "amd64"}, {"darwin", "arm64"},
	{"freebsd", "amd64"},
	{"windows", "amd64"},
}

// onLinux returns the targets with packages, images and a minimal edition.
func onLinux() []target { return targets[:2] }

// own returns this machine's target.
func own() target { return target{"linux", runtime.GOARCH} }

func (r *release) binary(t target) string {
	return filepath.Join(r.stage, t.String(), t.program())
}

func (r *release) minimalBinary(t target) string {
	return filepath.Join(r.stage, t.String()+"-minimal", t.program())
}

func (r *release) binaries() error {
	for _, t := range targets {
		if err := r.build(t, r.binary(t), ""); err != nil {
			return err
		}
	}
	for _, t := range onLinux() {
		if err := r.build(t, r.minimalBinary(t), "minimal"); err != nil {
			return err
		}
	}
	return nil
}

// build compiles goodgate. The linker records the commit, because the go command's own
// record would depend on the tags and the state of the checkout.
func (r *release) build(t target, to, tags string) error {
	flags := fmt.Sprintf("-s -w -buildid= -X main.release=%s -X main.commit=%s -X main.committed=%s",
		r.version, r.commit, r.time.Format(time.RFC3339))
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", to}
	if tags != "" {
		args = append(args, "-tags", tags)
	}
	_, err := output(r.command([]string{"GOOS=" + t.os, "GOARCH=" + t.arch, "GOAMD64=v1", "GOARM64=v8.0"}, "go", append(args, "./cmd/goodgate")...))
	return err
}

// archives packs each binary with its accompanying files.
func (r *release) archives() error {
	for _, t := range targets {
		name := fmt.Sprintf("goodgate-%s-%s", r.version, t)
		if err := r.archive(name, t, r.binary(t)); err != nil {
			return err
		}
	}
	for _, t := range onLinux() {
		name := fmt.Sprintf("goodgate-%s-%s-minimal", r.version, t)
		if err := r.archive(name, t, r.minimalBinary(t)); err != nil {
			return err
		}
	}
	return nil
}

func (r *release) archive(name string, t target, binary string) error {
	files := []file{
		{name: t.program(), path: binary, mode: 0o755},
		{name: "LICENSE", path: filepath.Join(r.root, "LICENSE"), mode: 0o644},
		{name: "licenses.txt", path: r.staged("doc/licenses.txt"), mode: 0o644},
		{name: "README.md", path: filepath.Join(r.root, "README.md"), mode: 0o644},
		{name: "CHANGELOG.md", path: filepath.Join(r.root, "CHANGELOG.md"), mode: 0o644},
		{name: "config.example.yaml", path: filepath.Join(r.root, "config.example.yaml"), mode: 0o644},
	}
	for _, shell := range shells {
		files = append(files, file{name: "completions/goodgate." + shell, path: r.staged("completions/goodgate." + shell), mode: 0o644})
	}
	if t.os == "windows" {
		return writeZip(r.to("%s.zip", name), name, files, r.time)
	}
	for _, dir := range []struct{ name, path string }{{"man", r.staged("man")}, {"systemd", filepath.Join(r.root, "deploy/systemd")}} {
		if dir.name == "systemd" && t.os != "linux" {
			continue
		}
		more, err := folder(dir.name, dir.path)
		if err != nil {
			return err
		}
		files = append(files, more...)
	}
	return writeTarGz(r.to("%s.tar.gz", name), name, files, r.time)
}

func (r *release) staged(name string) string {
	return filepath.Join(r.stage, strings.TrimPrefix(name, "/"))
}

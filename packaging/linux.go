package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/apk" // registers the formats
	_ "github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/rpm"
)

const (
	maintainer  = "goodgate maintainers <goodgate@users.noreply.github.com>"
	homepage    = "https://github.com/goodgate/goodgate"
	description = `health-checking reverse proxy and load balancer
goodgate stands between clients and application servers and checks every
upstream. It hides each failure that it can hide safely, for example of a
server that restarts, refuses connections, or answers 502.
.
Every other failure gets one reason, the same word in the response, the
log and the documentation.`
)

// packages builds the packages for Debian, RPM and Alpine Linux.
func (r *release) packages() error {
	for _, t := range onLinux() {
		for _, format := range []string{"deb", "rpm", "apk"} {
			if err := r.linuxPackage(format, t); err != nil {
				return fmt.Errorf("%s for %s: %w", format, t.arch, err)
			}
		}
	}
	return nil
}

func (r *release) linuxPackage(format string, t target) error {
	if err := r.debDocs(); err != nil {
		return err
	}
	scripts, err := r.scripts(format)
	if err != nil {
		return err
	}
	text := description
	if format != "deb" {
		text = strings.ReplaceAll(text, "\n.\n", "\n\n")
	}
	info := nfpm.WithDefaults(&nfpm.Info{
		Name: "goodgate", Arch: t.arch, Platform: t.os, Version: r.version, Release: packageRelease,
		Section: "httpd", Priority: "optional", Maintainer: maintainer, Vendor: "goodgate", Homepage: homepage,
		License: "Apache-2.0", Description: text, MTime: r.time,
		Overridables: nfpm.Overridables{
			Contents: r.contents(format, t),
			Scripts:  scripts.Scripts,
			Deb:      nfpm.Deb{Compression: r.deb},
			RPM:      nfpm.RPM{Compression: "zstd", BuildHost: "localhost", Summary: strings.SplitN(description, "\n", 2)[0]},
		},
	})
	switch format {
	case "deb":
		info.Recommends, info.Suggests = []string{"ca-certificates"}, []string{"logrotate"}
	case "rpm":
		info.Recommends = []string{"ca-certificates"}
	}
	if err := nfpm.PrepareForPackager(info, format); err != nil {
		return err
	}
	packager, err := nfpm.Get(format)
	if err != nil {
		return err
	}
	return create(r.to("%s", packager.ConventionalFileName(info)), func(w io.Writer) error { return packager.Package(info, w) })
}

// packageRelease counts the packages of one version.
const packageRelease = "1"

// contents returns the files of a package and their places.
func (r *release) contents(format string, t target) files.Contents {
	var all files.Contents
	add := func(from, to string, mode os.FileMode, kind string) {
		all = append(all, &files.Content{Source: from, Destination: to, Type: kind, FileInfo: &files.ContentFileInfo{
			Owner: "root", Group: "root", Mode: mode, MTime: r.time,
		}})
	}
	source := func(name string) string { return filepath.Join(r.root, name) }
	const doc = "/usr/share/doc/goodgate/"
	add(r.binary(t), "/usr/bin/goodgate", 0o755, files.TypeFile)
	add("", "/etc/goodgate", 0o755, files.TypeDir)
	add(source("packaging/files/goodgate.yaml"), "/etc/goodgate/goodgate.yaml", 0o644, files.TypeConfigNoReplace)
	add(r.staged("man")+"/*", "/usr/share/man/man1/", 0o644, files.TypeFile)
	add(r.staged("completions/goodgate.bash"), "/usr/share/bash-completion/completions/goodgate", 0o644, files.TypeFile)
	add(r.staged("completions/goodgate.fish"), "/usr/share/fish/vendor_completions.d/goodgate.fish", 0o644, files.TypeFile)
	zsh := "/usr/share/zsh/site-functions/_goodgate"
	if format == "deb" {
		zsh = "/usr/share/zsh/vendor-completions/_goodgate"
	}
	add(r.staged("completions/goodgate.zsh"), zsh, 0o644, files.TypeFile)
	add(r.staged("doc/licenses.txt"), doc+"licenses.txt", 0o644, files.TypeFile)
	add(source("config.example.yaml"), doc+"config.example.yaml", 0o644, files.TypeFile)
	add(source("goodgate.schema.json"), doc+"goodgate.schema.json", 0o644, files.TypeFile)
	add(source("docs")+"/*.md", doc+"docs/", 0o644, files.TypeFile)
	if format == "apk" {
		add(source("LICENSE"), doc+"LICENSE", 0o644, files.TypeFile)
		return all
	}
	add(source("deploy/systemd/goodgate.service"), "/usr/lib/systemd/system/goodgate.service", 0o644, files.TypeFile)
	add(source("deploy/systemd/goodgate.socket"), "/usr/lib/systemd/system/goodgate.socket", 0o644, files.TypeFile)
	add(source("deploy/systemd/goodgate.sysusers"), "/usr/lib/sysusers.d/goodgate.conf", 0o644, files.TypeFile)
	add(source("packaging/files/logrotate"), "/etc/logrotate.d/goodgate", 0o644, files.TypeConfigNoReplace)
	if format == "deb" {
		add(r.staged("doc/copyright"), doc+"copyright", 0o644, files.TypeFile)
		add(r.staged("doc/changelog.Debian.gz"), doc+"changelog.Debian.gz", 0o644, files.TypeFile)
		add(r.staged("doc/changelog.gz"), doc+"changelog.gz", 0o644, files.TypeFile)
		add(source("packaging/files/lintian"), "/usr/share/lintian/overrides/goodgate", 0o644, files.TypeFile)
	} else {
		add(source("LICENSE"), doc+"LICENSE", 0o644, files.TypeRPMLicense)
	}
	return all
}

// scripts returns the scripts that the package manager runs.
func (r *release) scripts(format string) (s nfpm.Overridables, err error) {
	names := map[string]*string{}
	switch format {
	case "deb":
		names = map[string]*string{"preinst": &s.Scripts.PreInstall, "postinst": &s.Scripts.PostInstall, "prerm": &s.Scripts.PreRemove, "postrm": &s.Scripts.PostRemove}
	case "rpm":
		names = map[string]*string{"postinstall": &s.Scripts.PostInstall, "preremove": &s.Scripts.PreRemove, "postremove": &s.Scripts.PostRemove}
	case "apk":
		names = map[string]*string{"postinstall": &s.Scripts.PostInstall}
	}
	dir := filepath.Join(r.root, "packaging", "scripts")
	common, err := os.ReadFile(filepath.Join(dir, "common.sh"))
	if err != nil {
		return s, err
	}
	for name, path := range names {
		body, err := os.ReadFile(filepath.Join(dir, format+"-"+name+".sh"))
		if err != nil {
			return s, err
		}
		text := "#!/bin/sh\nset -e\n\n"
		if strings.Contains(string(body), "add_user") {
			text += string(common)
		}
		staged := "scripts/" + format + "-" + name
		if err := r.write(staged, text+string(body)); err != nil {
			return s, err
		}
		*path = r.staged(staged)
	}
	return s, nil
}

// debDocs writes the files that Debian's policy requires (chapter 12).
func (r *release) debDocs() error {
	changes := fmt.Sprintf("goodgate (%s-%s) unstable; urgency=medium\n\n  * Version %s; changelog.gz says what is new.\n\n -- %s  %s\n",
		debianVersion(r.bare()), packageRelease, r.version, maintainer, r.time.Format(time.RFC1123Z))
	if err := r.write("doc/changes", changes); err != nil {
		return err
	}
	if err := gzipFile(r.staged("doc/changelog.Debian.gz"), r.staged("doc/changes")); err != nil {
		return err
	}
	if err := gzipFile(r.staged("doc/changelog.gz"), filepath.Join(r.root, "CHANGELOG.md")); err != nil {
		return err
	}
	return r.write("doc/copyright", fmt.Sprintf(`Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: goodgate
Source: %s

Files: *
Copyright: %d the goodgate authors
License: Apache-2.0
 On Debian systems the full text of the Apache License, version 2.0, is in
 /usr/share/common-licenses/Apache-2.0.
Comment:
 The binary contains the Go runtime and other modules. Their licenses are in
 /usr/share/doc/goodgate/licenses.txt.
`, homepage, r.time.Year()))
}

// debianVersion returns a version that sorts before the one without a suffix, as in
// semver.
func debianVersion(bare string) string { return strings.Replace(bare, "-", "~", 1) }

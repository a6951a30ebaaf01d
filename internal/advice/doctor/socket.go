package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/advice/finding"
)

// checkSocket checks the file of a unix socket, and its permissions for the proxy's
// user. The doctor often runs as root, which is allowed to use any socket.
func (e *examination) checkSocket(ctx context.Context, path string) (finding.Finding, bool) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return e.socketMissing(ctx, path), false
	case errors.Is(err, fs.ErrPermission):
		return e.socketForbidden(path, "this process"), false
	case err != nil:
		e.report.NotKnown("the socket %s: %v", path, err)
		return finding.Finding{}, true
	case info.Mode().Type() != fs.ModeSocket:
		f := broken("not_a_socket", reason.ConnectRefused)
		f.Seen = fmt.Sprintf("%s is not a socket (%s)", path, info.Mode())
		f.Means = "another file has this name"
		f.Do = "correct the path, or remove the file and start the application"
		return f, false
	}
	if e.User == nil || e.User.UID == 0 {
		return finding.Finding{}, true
	}
	if !mayUse(info, *e.User, 2) {
		return e.socketForbidden(path, e.User.Name), false
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil && !mayUse(info, *e.User, 1) {
			f := e.socketForbidden(path, e.User.Name)
			f.Seen = fmt.Sprintf("the folder %s is %s, so %s cannot reach the socket in it", dir, describe(info), e.User.Name)
			f.Directive = "chmod o+x " + dir
			return f, false
		}
		if dir == filepath.Dir(dir) {
			return finding.Finding{}, true
		}
	}
}

// otherSockets returns sockets near a missing one that could be the upstream's.
func (e *examination) otherSockets(ctx context.Context, path string) []string {
	others, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*.sock"))
	others = slices.DeleteFunc(others[:min(len(others), 16)], func(other string) bool {
		return slices.Contains(e.o.Own, other) || !e.serves(ctx, place{"unix", other})
	})
	return others[:min(3, len(others))]
}

func (e *examination) socketMissing(ctx context.Context, path string) finding.Finding {
	f := broken("socket_missing", reason.ConnectRefused)
	f.Seen = fmt.Sprintf("there is no file %s", path)
	f.Means = "the application is not running, or creates its socket elsewhere"
	f.Do = "start the application, or correct the path"
	others := e.otherSockets(ctx, path)
	if _, err := os.Stat(filepath.Dir(path)); errors.Is(err, fs.ErrNotExist) {
		f.Seen = fmt.Sprintf("there is no folder %s", filepath.Dir(path))
	}
	if len(others) > 0 {
		f.Seen += "; in its folder there is " + strings.Join(others, ", ")
		f.Directive = e.Words.address("unix:" + strings.TrimPrefix(others[0], strings.TrimSuffix(e.Root, "/")))
	}
	return f
}

func (e *examination) socketForbidden(path, who string) finding.Finding {
	f := broken("socket_permission", reason.ConnectUnreachable)
	f.Seen = fmt.Sprintf("%s has no permission to write to %s", who, path)
	f.Means = "connecting to a Unix socket needs write permission on it, and search permission on its folders"
	f.Do = "configure the application to create the socket for a group that the proxy's user is in"
	f.Directive = "chmod 0666 " + path
	if info, err := os.Stat(path); err == nil {
		f.Seen += ", which is " + describe(info)
		if e.User != nil {
			f.Directive = fmt.Sprintf("chgrp %s %s && chmod 0660 %s", e.User.Name, path, path)
		}
	}
	return f
}

// mayUse applies the permission bits: want is 1 to search, 2 to write.
func mayUse(info fs.FileInfo, u User, want fs.FileMode) bool {
	uid, gid, ok := ownerOf(info)
	if !ok {
		return true
	}
	mode := info.Mode().Perm()
	switch {
	case uid == u.UID:
		return mode>>6&want != 0
	case slices.Contains(u.Groups, gid):
		return mode>>3&want != 0
	}
	return mode&want != 0
}

func describe(info fs.FileInfo) string {
	owner := ""
	if uid, gid, ok := ownerOf(info); ok {
		owner = fmt.Sprintf(", owner %d, group %d", uid, gid)
	}
	return fmt.Sprintf("%04o%s", info.Mode().Perm(), owner)
}

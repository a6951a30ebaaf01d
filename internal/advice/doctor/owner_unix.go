//go:build unix

package doctor

import (
	"io/fs"
	"syscall"
)

// ownerOf returns the user and the group of a file.
func ownerOf(info fs.FileInfo) (uid, gid uint32, ok bool) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return s.Uid, s.Gid, true
}

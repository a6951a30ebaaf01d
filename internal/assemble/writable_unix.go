//go:build unix

package assemble

import "golang.org/x/sys/unix"

// writable returns the reason that this process cannot create files in a folder, or write
// to a file; nil if it can.
func writable(path string) error {
	return unix.Faccessat(unix.AT_FDCWD, path, unix.W_OK, unix.AT_EACCESS)
}

//go:build !unix

package socket

import (
	"net"
	"syscall"
)

func Raw(net.Conn) syscall.RawConn          { return nil }
func ReadNow(uintptr, []byte) (int, error)  { return 0, ErrWouldWait }
func WriteNow(uintptr, []byte) (int, error) { return 0, ErrWouldWait }
func Readable(uintptr) bool                 { return true }
func Quiet(uintptr) bool                    { return true }
func Failed(uintptr) bool                   { return false }

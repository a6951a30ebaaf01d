//go:build !linux

package socket

func Queued(uintptr) int         { return 0 }
func AskTCP(uintptr) (TCP, bool) { return TCP{}, false }

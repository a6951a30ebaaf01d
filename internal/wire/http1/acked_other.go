//go:build !linux

package http1

// acked and refused cannot tell here.
func (s *socket) acked() uint64       { return 0 }
func (s *socket) refused(uint64) bool { return false }

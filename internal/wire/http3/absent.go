//go:build minimal

package http3

import (
	"errors"
	"net"
)

var errAbsent = errors.New("the minimal edition of goodgate does not have HTTP/3")

// Server is a stand-in for the minimal edition, which has no HTTP/3.
type Server struct{ gone chan struct{} }

// Socket is a stand-in, too; [Open] never returns one.
type Socket struct{}

func New(Options) *Server {
	s := &Server{gone: make(chan struct{})}
	close(s.gone)
	return s
}

func (s *Server) Attach(*Socket)        {}
func (s *Server) Serve(*Socket) error   { return errAbsent }
func (s *Server) Leave()                {}
func (s *Server) Gone() <-chan struct{} { return s.gone }
func (s *Server) Close()                {}

func Open(string) (*Socket, error) { return nil, errAbsent }

func (k *Socket) Addr() net.Addr { return nil }
func (k *Socket) Buffer() int    { return 0 }
func (k *Socket) Close() error   { return nil }

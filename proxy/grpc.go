package proxy

import (
	"net/http"
	"strings"
)

// isGRPC reports whether a message belongs to gRPC; gRPC-Web is plain HTTP.
func isGRPC(h http.Header) bool {
	const grpc = "application/grpc"
	values := h["Content-Type"]
	if len(values) != 1 || !strings.HasPrefix(values[0], grpc) {
		return false
	}
	rest := values[0][len(grpc):]
	return rest == "" || rest[0] == '+' || rest[0] == ';'
}

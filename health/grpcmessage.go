package health

import (
	"encoding/binary"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// The two messages of grpc.health.v1.Health/Check, which have only field 1, and gRPC's
// prefix of five bytes before a message: whether it is compressed, and its length.

const (
	framePrefix = 5
	fieldOne    = protowire.Number(1)
)

// serviceStatus is grpc.health.v1.HealthCheckResponse.ServingStatus.
type serviceStatus uint64

const (
	serviceServing    serviceStatus = 1
	serviceNotServing serviceStatus = 2
)

func (s serviceStatus) String() string {
	names := [...]string{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"}
	if s < serviceStatus(len(names)) {
		return names[s]
	}
	return fmt.Sprintf("status %d", uint64(s))
}

// appendCheckRequest appends a framed HealthCheckRequest.
func appendCheckRequest(b []byte, service string) []byte {
	var message []byte
	if service != "" {
		message = protowire.AppendTag(message, fieldOne, protowire.BytesType)
		message = protowire.AppendString(message, service)
	}
	b = append(b, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(len(message)))
	return append(b, message...)
}

// parseCheckReply parses a framed HealthCheckResponse. It skips unknown fields. A missing
// status is UNKNOWN, as in protobuf.
func parseCheckReply(b []byte) (serviceStatus, error) {
	if len(b) < framePrefix {
		return 0, fmt.Errorf("%d bytes are less than a message has", len(b))
	}
	if b[0] != 0 {
		return 0, errors.New("message is compressed, which was not asked for")
	}
	size := binary.BigEndian.Uint32(b[1:])
	b = b[framePrefix:]
	if uint64(size) != uint64(len(b)) {
		return 0, fmt.Errorf("message of %d bytes is announced as %d", len(b), size)
	}
	var status serviceStatus
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return 0, protowire.ParseError(n)
		}
		b = b[n:]
		if number == fieldOne && kind == protowire.VarintType {
			var v uint64
			v, n = protowire.ConsumeVarint(b)
			status = serviceStatus(v)
		} else {
			n = protowire.ConsumeFieldValue(number, kind, b)
		}
		if n < 0 {
			return 0, protowire.ParseError(n)
		}
		b = b[n:]
	}
	return status, nil
}

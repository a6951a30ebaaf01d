package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// object is a JSON object.
type object = map[string]any

// OpenAPI returns the description of the API (OpenAPI 3.1), with the endpoints in more.
// It is generated from the table that the server routes by, and from the types of the
// answers.
func OpenAPI(more []Endpoint) []byte {
	out, err := json.MarshalIndent(describe((&Server{opts: Options{More: more}}).endpoints()), "", " ")
	if err != nil {
		panic(fmt.Sprintf("admin: OpenAPI: %v", err)) // it holds only maps, lists and text
	}
	return append(out, '\n')
}

func (s *Server) describe(w http.ResponseWriter, _ *http.Request) {
	compact(w, describe(s.endpoints()))
}

func describe(endpoints []Endpoint) object {
	known, paths := schemas{}, object{}
	refused := object{"description": "The reason for the refusal.", "content": content("application/json", known.of(problem{}))}
	for i := range endpoints {
		e := &endpoints[i]
		method, path := e.split()
		path = strings.TrimSuffix(path, "{$}")
		at, _ := paths[path].(object)
		if at == nil {
			at = object{}
			paths[path] = at
		}
		at[strings.ToLower(method)] = e.operation(known)
	}
	return object{
		"openapi": "3.1.0",
		"info": object{
			"title": "goodgate's admin API", "version": "1",
			"description": "Later versions may add fields to answers under /v1; existing fields stay. Any request may get 401 (token missing or wrong), 403 (sent by a page of another site) or 421 (unknown name in Host).",
		},
		"paths":    paths,
		"security": []object{{"token": []string{}}, {}},
		"components": object{
			"schemas":         known,
			"responses":       object{"Refused": refused},
			"securitySchemes": object{"token": object{"type": "http", "scheme": "bearer", "description": "The value of admin.token, or of a token in admin.tokens. Not needed if neither is set."}},
		},
	}
}

var placeholder = regexp.MustCompile(`\{(\w+)\}`)

func (e *Endpoint) operation(known schemas) object {
	method, path := e.split()
	op := object{"summary": e.Does, "operationId": operationID(method, path), "responses": e.responses(known)}
	var params []object
	for _, m := range placeholder.FindAllStringSubmatch(path, -1) {
		params = append(params, object{"name": m[1], "in": "path", "required": true, "schema": object{"type": "string"}})
	}
	for _, p := range e.Query {
		params = append(params, object{"name": p.Name, "in": "query", "description": p.Does, "schema": object{"type": either(p.Kind, "string")}})
	}
	if params != nil {
		op["parameters"] = params
	}
	if e.Takes != nil {
		op["requestBody"] = object{"required": true, "content": content("application/json", known.order(e.Takes))}
	}
	if e.Open {
		op["security"] = []object{}
	}
	return op
}

func (e *Endpoint) responses(known schemas) object {
	media, schema := either(e.Media, "text/plain"), any(object{"type": "string"})
	if e.Answers != nil {
		media, schema = either(e.Media, "application/json"), known.of(e.Answers)
	}
	success := max(e.Status, 200)
	all := object{
		strconv.Itoa(success): object{"description": http.StatusText(success), "content": content(media, schema)},
		"default":             object{"$ref": "#/components/responses/Refused"},
	}
	refuses := e.Refuses
	if e.Takes != nil {
		refuses = append([]int{http.StatusRequestEntityTooLarge}, refuses...)
	}
	for _, status := range refuses {
		if e.Open {
			all[strconv.Itoa(status)] = object{"description": http.StatusText(status), "content": content("text/plain", object{"type": "string"})}
			continue
		}
		all[strconv.Itoa(status)] = object{"$ref": "#/components/responses/Refused"}
	}
	return all
}

func content(media string, schema any) object { return object{media: object{"schema": schema}} }

func either(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// operationID returns the name of an operation for generated clients: getPoolsPool.
func operationID(method, path string) string {
	words := strings.FieldsFunc(path, func(r rune) bool { return !(r >= 'a' && r <= 'z') })
	words = slices.DeleteFunc(words, func(w string) bool { return w == "v" })
	var id strings.Builder
	id.WriteString(strings.ToLower(method))
	for _, w := range words {
		id.WriteString(strings.ToUpper(w[:1]) + w[1:])
	}
	return id.String()
}

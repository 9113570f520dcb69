package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nami-flow/go-nami/nami/internal/table/npy"
)

// The types of bodies. NumPy's have no registered ones.
const (
	typeJSON = "application/json"
	typeNPY  = "application/x-npy"
	typeNPZ  = "application/x-npz"
)

// What a byte of a body and of an answer takes while it is handled: JSON's shortest number
// and its comma are two bytes, and become eight of a float64 and up to eight of a tensor.
const (
	bodyCost   = 10
	answerCost = 2
)

// request is what a client asks for.
type request struct {
	context, mask, x *numbers
	n                int
	counted          bool // n was given
	seed             int64
	timeout          time.Duration // 0 for none
	npy              bool          // how to answer
}

// read reads a request. The memory that is held for it is to be released in any case.
func (h *Handler) read(w *answer, r *http.Request) (in request, held int64, wrong *failure) {
	body, err := bodyType(r)
	if err != nil {
		return in, 0, &failure{status: http.StatusUnsupportedMediaType, err: err}
	}
	if in.npy, err = wantsNPY(r, body); err != nil {
		return in, 0, &failure{status: http.StatusNotAcceptable, err: err}
	}
	fields, err := queryFields(r)
	if err != nil {
		return in, 0, &failure{status: http.StatusBadRequest, err: err}
	}
	size := r.ContentLength
	if size > h.config.MaxBody {
		return in, 0, tooLarge(h.config.MaxBody)
	}
	if size < 0 {
		size = h.config.MaxBody
	}
	if wrong := h.hold(bodyCost*size, "the body"); wrong != nil {
		return in, 0, wrong
	}
	held = bodyCost * size
	content, wrong := h.readBody(w, r)
	if wrong != nil {
		return in, held, wrong
	}
	switch body {
	case typeJSON:
		err = in.fromJSON(content, fields, h.schema(), h.config.MaxEvents)
	case typeNPY:
		err = in.fromNPY(content, r.URL.Path)
	case typeNPZ:
		err = in.fromNPZ(content, h.config.MaxBody)
	}
	if err == nil {
		err = in.parameters(fields, h.config)
	}
	if err != nil {
		return in, held, &failure{status: http.StatusBadRequest, err: err}
	}
	return in, held, nil
}

// readBody reads the body within its limits of bytes and time. The deadline of one that isn't read
// to its end stays: the server reads on for a while, so that the client sees the answer.
func (h *Handler) readBody(w *answer, r *http.Request) ([]byte, *failure) {
	content := bytes.NewBuffer(make([]byte, 0, max(0, r.ContentLength)))
	_, err := content.ReadFrom(http.MaxBytesReader(w.ResponseWriter, r.Body, h.config.MaxBody))
	switch {
	case err == nil:
		w.unread = false
		// Or the client would count as gone at the deadline.
		_ = http.NewResponseController(w.ResponseWriter).SetReadDeadline(time.Time{})
		return content.Bytes(), nil
	case errors.As(err, new(*http.MaxBytesError)):
		return nil, tooLarge(h.config.MaxBody)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, errorf(http.StatusRequestTimeout, "the body didn't come within %v: %d bytes of it did", h.config.Stall, content.Len())
	case r.Context().Err() != nil, errors.Is(err, io.ErrUnexpectedEOF):
		return nil, errorf(statusGone, "the client has gone")
	}
	return nil, errorf(http.StatusBadRequest, "the body can't be read: %v", err)
}

func tooLarge(most int64) *failure {
	return errorf(http.StatusRequestEntityTooLarge, "the body has more than %d bytes, the most that this server takes: send less at a time, or npy in place of JSON", most)
}

// bodyType is the type of the body; empty if there is none.
func bodyType(r *http.Request) (string, error) {
	if coding := r.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
		return "", fmt.Errorf("the body's Content-Encoding is %q: expected a body that isn't packed", coding)
	}
	given := r.Header.Get("Content-Type")
	if given == "" && r.ContentLength == 0 {
		return "", nil
	}
	kind, _, err := mime.ParseMediaType(given)
	if err != nil || !slices.Contains([]string{typeJSON, typeNPY, typeNPZ}, kind) {
		return "", fmt.Errorf("the body's Content-Type is %q: expected %s, %s or %s", given, typeJSON, typeNPY, typeNPZ)
	}
	return kind, nil
}

// wantsNPY says how to answer: as Accept prefers, and where it doesn't matter as the body is
// written.
func wantsNPY(r *http.Request, body string) (bool, error) {
	accept := strings.Join(r.Header.Values("Accept"), ",")
	if strings.TrimSpace(accept) == "" {
		accept = "*/*"
	}
	usual := typeJSON
	if body == typeNPY || body == typeNPZ {
		usual = typeNPY
	}
	best, found := 0.0, ""
	for part := range strings.SplitSeq(accept, ",") {
		kind, parameters, err := mime.ParseMediaType(part)
		if err != nil {
			return false, fmt.Errorf("the header Accept is %q, which can't be read: expected %s, %s or */*", accept, typeJSON, typeNPY)
		}
		quality := 1.0
		if q, given := parameters["q"]; given {
			if quality, err = strconv.ParseFloat(q, 64); err != nil {
				return false, fmt.Errorf("the header Accept is %q, and its q isn't a number", accept)
			}
		}
		if kind == "*/*" || kind == "application/*" {
			kind = usual
		}
		if (kind == typeJSON || kind == typeNPY) && quality > best {
			best, found = quality, kind
		}
	}
	if found == "" {
		return false, fmt.Errorf("the header Accept is %q: this server answers with %s or %s", accept, typeJSON, typeNPY)
	}
	return found == typeNPY, nil
}

// names are those of the parameters that stand in the query, or in the body's JSON.
var names = []string{"n", "seed", "timeout"}

// queryFields are the parameters in the query.
func queryFields(r *http.Request) (map[string]string, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("the query %q can't be read: %v", r.URL.RawQuery, err)
	}
	fields := map[string]string{}
	for name, given := range values {
		switch {
		case !slices.Contains(names, name):
			return nil, fmt.Errorf("the query has the parameter %q: expected n, seed and timeout", name)
		case len(given) > 1:
			return nil, fmt.Errorf("the query has %s %d times: expected it once", name, len(given))
		}
		fields[name] = given[0]
	}
	return fields, nil
}

// parameters reads n, seed and timeout.
func (in *request) parameters(fields map[string]string, c Config) error {
	text, given := fields["n"]
	if in.n = 1; given {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 1 || n > int64(c.MaxEvents) {
			return fmt.Errorf("n is %s: expected a whole number from 1 to %d, the most events of one request", short(text), c.MaxEvents)
		}
		in.n, in.counted = int(n), true
	}
	in.seed = rand.Int64N(1 << 53) // which every client's numbers hold
	if text, given = fields["seed"]; given {
		seed, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("seed is %s: expected a whole number of 64 bits", short(text))
		}
		in.seed = seed
	}
	if text, given = fields["timeout"]; given {
		timeout, err := time.ParseDuration(text)
		if err != nil || timeout <= 0 {
			return fmt.Errorf("timeout is %s: expected a time such as 500ms or 2s", short(text))
		}
		in.timeout = timeout
	}
	return nil
}

// short is a text in an error.
func short(text string) string {
	if len(text) > 40 {
		return strconv.Quote(text[:40]) + "…"
	}
	return text
}

// fromJSON reads the body as JSON. Its parameters go into fields.
func (in *request) fromJSON(content []byte, fields map[string]string, columns schema, most int) error {
	var body struct {
		Context json.RawMessage `json:"context"`
		Mask    json.RawMessage `json:"mask"`
		X       json.RawMessage `json:"x"`
		N       json.RawMessage `json:"n"`
		Seed    json.RawMessage `json:"seed"`
		Timeout json.RawMessage `json:"timeout"`
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&body)
	if err == nil {
		if _, more := decoder.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("something follows behind its end")
		}
	}
	if err != nil {
		return hinted(jsonError(content, err), columns.context())
	}
	for name, raw := range map[string]json.RawMessage{"n": body.N, "seed": body.Seed, "timeout": body.Timeout} {
		if raw == nil {
			continue
		}
		if _, twice := fields[name]; twice {
			return fmt.Errorf("%s stands in the query and in the body: expected it once", name)
		}
		fields[name] = string(raw)
		if name == "timeout" {
			var text string
			if err := json.Unmarshal(raw, &text); err != nil {
				return fmt.Errorf(`timeout is %s: expected a text such as "500ms" or "2s"`, short(string(raw)))
			}
			fields[name] = text
		}
	}
	for _, part := range []struct {
		name string
		raw  json.RawMessage
		into **numbers
	}{{"context", body.Context, &in.context}, {"mask", body.Mask, &in.mask}, {"x", body.X, &in.x}} {
		if part.raw == nil || string(part.raw) == "null" {
			continue
		}
		if part.name == "context" && isNamed(part.raw) {
			if *part.into, err = columns.named(part.raw, most); err != nil {
				return err
			}
			continue
		}
		if *part.into, err = parseNumbers(part.name, part.raw); err != nil {
			switch part.name {
			case "context":
				err = hinted(err, columns.context())
			case "x":
				err = hinted(err, columns.event())
			}
			return err
		}
	}
	return nil
}

// jsonError says what is wrong with a body that isn't JSON, or not what is expected.
func jsonError(content []byte, err error) error {
	const expected = `expected an object such as {"context": [1, 2], "n": 100, "seed": 7}, with context, mask, x, n, seed and timeout as they are needed`
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) && syntax.Offset > 0 {
		rest := strings.ToLower(strings.TrimPrefix(string(content[syntax.Offset-1:min(len(content), int(syntax.Offset)+3)]), "-"))
		if strings.HasPrefix(rest, "na") || strings.HasPrefix(rest, "in") {
			return fmt.Errorf("the body has NaN or Infinity at byte %d: JSON has no numbers that aren't finite, and the model takes none", syntax.Offset)
		}
		return fmt.Errorf("the body isn't JSON: %v at byte %d: %s", err, syntax.Offset, expected)
	}
	return fmt.Errorf("the body isn't what this server reads (%v): %s", err, expected)
}

// fromNPY reads the body as one array: the context of samples, the events of log-densities.
func (in *request) fromNPY(content []byte, path string) error {
	a, err := npy.ReadArray(bytes.NewReader(content))
	if err != nil {
		return fmt.Errorf("the body isn't a NumPy array that this server reads: %w", err)
	}
	if path == "/sample" {
		in.context = (*numbers)(&a)
	} else {
		in.x = (*numbers)(&a)
	}
	return nil
}

// fromNPZ reads the body as arrays with names.
func (in *request) fromNPZ(content []byte, most int64) error {
	arrays, err := npy.ReadArrays(bytes.NewReader(content), most)
	if err != nil {
		return fmt.Errorf("the body isn't a zip file of NumPy arrays that this server reads: %w", err)
	}
	for name, a := range arrays {
		switch name {
		case "context":
			in.context = (*numbers)(&a)
		case "mask":
			in.mask = (*numbers)(&a)
		case "x":
			in.x = (*numbers)(&a)
		default:
			return fmt.Errorf("the body has the array %q: expected context, mask and x as they are needed", name)
		}
	}
	return nil
}

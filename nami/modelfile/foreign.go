package modelfile

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// seems says what a file that isn't a safetensors file seems to be.
func seems(file []byte) string {
	const fromPython = "write its tensors by Python's safetensors, or bring them into a store by their names in nami's model, and save that by modelfile.Save"
	begins := func(with string) bool { return bytes.HasPrefix(file, []byte(with)) }
	head := file[:min(len(file), 1<<12)]
	switch {
	case len(file) == 0:
		return "it is empty"
	case begins("PK\x03\x04") && bytes.Contains(head, []byte("data.pkl")):
		return "it seems to be a PyTorch file (torch.save), whose pickle would have to be run to be read; " + fromPython
	case begins("PK\x03\x04") && bytes.Contains(head, []byte(".npy")):
		return "it seems to be a NumPy archive (.npz); data.Read reads it as a table"
	case begins("PK\x03\x04"):
		return "it seems to be a zip archive, as PyTorch's, Keras's and NumPy's files are"
	case len(file) > 2 && file[0] == 0x80 && file[1] >= 2 && file[1] <= 5:
		return "it seems to be a Python pickle, as older files of PyTorch are, which would have to be run to be read; " + fromPython
	case begins("\x89HDF\r\n\x1a\n"):
		return "it seems to be an HDF5 file, as Keras's are; " + fromPython
	case begins("\x93NUMPY"):
		return "it seems to be a NumPy array (.npy); data.Read reads it as a table"
	case begins("PAR1"):
		return "it seems to be a Parquet file; data.Read reads it as a table"
	case begins("GGUF"):
		return "it seems to be a GGUF file, of a language model"
	case begins("\x1f\x8b"):
		return "it seems to be compressed by gzip: unpack it first"
	case protocolBuffer(file):
		return "it seems to be an ONNX model, or another protocol buffer; " + fromPython
	case utf8.Valid(head) && !bytes.ContainsRune(head, 0):
		return fmt.Sprintf("it seems to be a text, which begins with %q", short(string(head[:min(len(head), 40)])))
	}
	return "it is in no format that is known here, or was cut off in its first bytes"
}

// protocolBuffer is true for what begins as ONNX's models do: with the version, field 1, and then
// a text or a message, field 2, 7 or 8, that is not longer than the file.
func protocolBuffer(file []byte) bool {
	if len(file) < 4 || file[0] != 0x08 || file[1] == 0 || file[1] > 30 {
		return false
	}
	return file[2] == 0x12 || file[2] == 0x3a || file[2] == 0x42
}

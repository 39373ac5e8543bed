/// Rows in the form of `COPY … FROM STDIN (FORMAT binary)`, in one growing block. Fields are appended in the order of the
/// columns; every `columns` fields make a row. The caller bounds it, by rows or by `byteCount`.
package struct PostgresCopyWriter: Sendable {
  private(set) var bytes: [UInt8]
  private let columns: Int16
  private var fieldsInRow: Int16 = 0
  package private(set) var rowCount = 0

  /// Signature, flags and the length of the header's extension: PostgreSQL's manual, COPY, "Binary Format".
  private static let header: [UInt8] = [0x50, 0x47, 0x43, 0x4f, 0x50, 0x59, 0x0a, 0xff, 0x0d, 0x0a, 0] + [UInt8](repeating: 0, count: 8)

  /// - Parameter columns: the number of columns in the statement's list, 1…1600.
  package init(columns: Int, capacityBytes: Int = 64 * 1024) {
    precondition((1...1600).contains(columns), "a table has 1 to 1600 columns")
    self.columns = Int16(columns)
    self.bytes = []
    bytes.reserveCapacity(capacityBytes)
    bytes.append(contentsOf: Self.header)
  }

  package var byteCount: Int { bytes.count }

  package mutating func appendNull() {
    startField()
    bytes.append(bigEndian: Int32(-1))
  }

  package mutating func append(text value: String) {
    startField()
    bytes.append(bigEndian: Int32(value.utf8.count))
    bytes.append(contentsOf: value.utf8)
  }

  /// For `bytea`, `json`, `uuid` and text columns whose bytes are there already.
  package mutating func append(bytes value: [UInt8]) {
    startField()
    bytes.append(bigEndian: Int32(value.count))
    bytes.append(contentsOf: value)
  }

  /// The width decides the column's type: `Int16` smallint, `Int32` integer, `Int64` bigint.
  package mutating func append(integer value: some FixedWidthInteger & SignedInteger) {
    startField()
    bytes.append(bigEndian: Int32(value.bitWidth / 8))
    bytes.append(bigEndian: value)
  }

  package mutating func append(double value: Double) {
    append(integer: Int64(bitPattern: value.bitPattern))
  }

  package mutating func append(bool value: Bool) {
    startField()
    bytes.append(bigEndian: Int32(1))
    bytes.append(value ? 1 : 0)
  }

  package mutating func append(timestamp value: PostgresTimestamp) {
    append(integer: value.wire)
  }

  private mutating func startField() {
    if fieldsInRow == 0 {
      bytes.append(bigEndian: columns)
      rowCount += 1
    }
    fieldsInRow += 1
    if fieldsInRow == columns { fieldsInRow = 0 }
  }

  /// The block with its trailer.
  consuming func finished() -> [UInt8] {
    precondition(fieldsInRow == 0, "the last row is not complete")
    bytes.append(bigEndian: Int16(-1))
    return bytes
  }
}

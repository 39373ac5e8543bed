import CLibpq

/// A libpq result, freed when it goes out of use.
struct StatementResult: ~Copyable {
  private let pointer: OpaquePointer

  init(_ pointer: OpaquePointer) { self.pointer = pointer }

  deinit { PQclear(pointer) }

  var status: ExecStatusType { PQresultStatus(pointer) }

  var affectedRows: Int { Int(String(cString: PQcmdTuples(pointer))) ?? 0 }

  /// The fields of an error that are taken: `PG_DIAG_…` in libpq's header, which Swift cannot import.
  enum Field: Unicode.Scalar {
    case sqlState = "C"
    case message = "M"
  }

  func field(_ field: Field) -> String? {
    PQresultErrorField(pointer, CInt(field.rawValue.value)).map { String(cString: $0) }
  }

  func rows() -> PostgresRows {
    let (rowCount, columnCount) = (PQntuples(pointer), PQnfields(pointer))
    let columns = (0..<columnCount).map { column in
      PostgresRows.Column(name: String(cString: PQfname(pointer, column)), typeID: PQftype(pointer, column))
    }
    var cells: [Range<Int>?] = []
    cells.reserveCapacity(Int(rowCount) * Int(columnCount))
    var bytes: [UInt8] = []
    for row in 0..<rowCount {
      for column in 0..<columnCount {
        guard PQgetisnull(pointer, row, column) == 0, let value = PQgetvalue(pointer, row, column) else {
          cells.append(nil)
          continue
        }
        let start = bytes.count
        bytes.append(contentsOf: UnsafeRawBufferPointer(start: value, count: Int(PQgetlength(pointer, row, column))))
        cells.append(start..<bytes.count)
      }
    }
    return PostgresRows(columns: columns, count: Int(rowCount), cells: cells, bytes: bytes)
  }
}

/// A statement's parameters in one block of memory, as libpq wants them.
struct ParameterBlock {
  private var bytes: [UInt8] = []
  /// Where each parameter begins; nil is NULL.
  private var offsets: [Int?] = []
  private var lengths: [CInt] = []

  init(_ parameters: [PostgresValue]) {
    for parameter in parameters {
      let start = bytes.count
      parameter.encode(into: &bytes)
      offsets.append(parameter == .null ? nil : start)
      lengths.append(CInt(bytes.count - start))
    }
    bytes.append(0)  // an empty last parameter still needs an address that is not NULL
  }

  func withPointers<R>(_ body: ([UnsafePointer<CChar>?], [CInt], [CInt]) -> R) -> R {
    bytes.withUnsafeBytes { block in
      let values = offsets.map { offset in
        offset.flatMap { block.baseAddress?.advanced(by: $0).assumingMemoryBound(to: CChar.self) }
      }
      return body(values, lengths, [CInt](repeating: 1, count: lengths.count))
    }
  }
}

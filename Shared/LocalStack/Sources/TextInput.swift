import Foundation
package import Subprocess
import SystemPackage

extension InputProtocol where Self == FileDescriptorInput {
  /// A text as a program's standard input, of which the program may read as little as it likes.
  ///
  /// It is a file that has no name any more, not a pipe: whoever writes to a pipe is ended by a signal when the reader ends first.
  package static func text(_ text: String) throws -> Self {
    let path = FilePath(FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path)
    let file = try FileDescriptor.open(path, .readWrite, options: [.create, .exclusiveCreate], permissions: .ownerReadWrite)
    do {
      try FileManager.default.removeItem(atPath: path.string)
      try file.writeAll(text.utf8)
      try file.seek(offset: 0, from: .start)
    } catch {
      try? file.close()
      throw error
    }
    return .fileDescriptor(file, closeAfterSpawningProcess: true)
  }
}

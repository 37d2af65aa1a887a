import PawlCommands

@main
enum Main {
    static func main() async { await PawlCommand.run() }
}

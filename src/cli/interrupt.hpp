// Ctrl-C for work that can stop in an orderly way.
#pragma once

namespace portolan::cli {

/// From now on the first SIGINT or SIGTERM is only remembered; a second one ends the program as
/// usual.
void catch_interrupts();
bool interrupted();
/// Exit code of a program that such a signal ended: 130 or 143; 0 without one.
int interrupt_code();

}  // namespace portolan::cli

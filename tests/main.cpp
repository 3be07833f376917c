// The runner of the tests: Catch2 version 2 has its main in its header; version 3 brings a library.
#if !__has_include(<catch2/catch_all.hpp>)
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#endif

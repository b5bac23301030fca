// Tables of texts: how their columns are found. For dataset.c, whose rows say what a data set looks like.
#ifndef ENCL_TASK_DATASET_TABLE_H
#define ENCL_TASK_DATASET_TABLE_H

#include <stdbool.h>

enum {
    ENCL_COLUMN_TEXT,
    ENCL_COLUMN_PAIR,
    ENCL_COLUMN_LABEL, // or the score
    ENCL_COLUMN_KEPT,  // rows where it is not `kept` are left out
    ENCL_COLUMNS,
};

// One way in which a data set is published. The first form that the first line fits is the file's.
typedef struct encl_table_form {
    const char *separator; // "\t", ",", "||"
    bool quoted;           // fields may stand in quotes, as RFC 4180 says
    // With a header: the columns' names, "" for a column that there is none of. NULL: no header.
    const char *names[ENCL_COLUMNS];
    int places[ENCL_COLUMNS]; // without: their numbers from 0, -1 for a column that there is none of
    const char *kept;         // what the column KEPT must hold
} encl_table_form;

#endif
